import { type Context, context } from '@opentelemetry/api';
import { type Decision, noAnswer } from './decision.js';
import type { Failure } from './failure.js';
import type { NoAnswerCode } from './no-answer.js';
import type { Message } from './question.js';

/** A call under way, which several questions may share; it is cancelled when nobody waits for it any more. */
export interface SharedCall {
  /** Questions in it that are not decided. */
  waiting: number;
  cancel(): void;
}

/** One question from when it is asked until it is decided, once. */
export class Pending {
  readonly bytes: Uint8Array;
  readonly requestId: string;
  readonly context: Context = context.active();
  readonly decision: Promise<Decision>;
  /** Whether it is asked by itself: it may wait for facts, or a batch with it in it was refused. */
  apart: boolean;
  /** Calls made for it. */
  attempts = 0;
  call: SharedCall | undefined;
  failure: Failure | undefined;
  #settle: ((decision: Decision) => void) | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(
    message: Message,
    private readonly o: {
      /** When it must be decided, in milliseconds since 1970, and how long that is from now. */
      readonly endsAtMs: number;
      readonly deadlineMs: number;
      readonly signal: AbortSignal | undefined;
      readonly settled: (pending: Pending, decision: Decision) => void;
    },
  ) {
    this.bytes = message.bytes;
    this.requestId = message.requestId;
    this.apart = message.waits;
    this.decision = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#timer = setTimeout(this.#late, o.deadlineMs);
    o.signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  get endsAtMs(): number {
    return this.o.endsAtMs;
  }

  get isSettled(): boolean {
    return this.#settle === undefined;
  }

  /** Does nothing the second time. */
  settle(decision: Decision): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    clearTimeout(this.#timer);
    this.o.signal?.removeEventListener('abort', this.#aborted);
    this.#leaveCall();
    this.o.settled(this, decision);
    settle(decision);
  }

  deny(code: NoAnswerCode, cause = this.failure?.cause): void {
    this.settle(noAnswer(code, this.requestId, cause));
  }

  // What failed before says more than that time is over.
  readonly #late = () => this.deny(this.failure?.code ?? 'DEADLINE_EXCEEDED');
  readonly #aborted = () => this.deny('ABORTED');

  #leaveCall(): void {
    const { call } = this;
    if (call === undefined) return;
    this.call = undefined;
    call.waiting -= 1;
    if (call.waiting === 0) call.cancel();
  }
}
