import { batchLength } from './batch.js';
import type { Clock } from './clock.js';
import { decisionOf } from './decision.js';
import type { Brought, Engine } from './engine.js';
import type { Failure } from './failure.js';
import type { Pending, SharedCall } from './pending.js';
import { retryWaitMs } from './retry.js';
import type { Telemetry } from './telemetry.js';

/**
 * Calls under way at once; while so many are, questions gather and the next calls are fuller. A client that puts nothing
 * together gains nothing by that, and has no such bound.
 */
const CALLS_MAX = 16;

/**
 * Puts questions together and asks them. Those that arrive in one turn of the event loop go out when it ends, as one call;
 * one alone is a plain Decide. A turn and not a microtask: requests of different connections arrive in one turn, each with
 * microtasks of its own.
 */
export class Dispatcher {
  #waiting: Pending[] = [];
  #apart: Pending[] = [];
  #calls = 0;
  #scheduled = false;
  readonly #callsMax: number;

  constructor(
    private readonly o: {
      readonly engine: Engine;
      readonly clock: Clock;
      readonly telemetry: Telemetry;
      /** Questions in a call, from 1. */
      readonly maxBatch: number;
    },
  ) {
    this.#callsMax = o.maxBatch === 1 ? Number.POSITIVE_INFINITY : CALLS_MAX;
  }

  ask(pending: Pending): void {
    (pending.apart ? this.#apart : this.#waiting).push(pending);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = () => {
    this.#scheduled = false;
    // They take no place: one that waits for facts would keep the others from theirs.
    for (const pending of this.#apart.splice(0))
      if (!pending.isSettled) this.#send([pending], () => undefined);
    this.#sendWaiting();
  };

  #sendWaiting(): void {
    if (this.#calls >= this.#callsMax) return;
    this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
    while (this.#waiting.length > 0 && this.#calls < this.#callsMax) {
      const batch = this.#waiting.splice(0, batchLength(this.#waiting, this.o.maxBatch));
      this.#calls += 1;
      this.#send(batch, () => {
        this.#calls -= 1;
        if (this.#waiting.length > 0 && !this.#scheduled) this.#sendWaiting();
      });
    }
  }

  #send(batch: readonly Pending[], ended: () => void): void {
    const endsAtMs = Math.max(...batch.map((pending) => pending.endsAtMs));
    let cancel = () => {};
    const call: SharedCall = { waiting: batch.length, cancel: () => cancel() };
    for (const pending of batch) {
      pending.attempts += 1;
      pending.call = call;
    }
    ({ cancel } = this.o.engine.ask(batch, endsAtMs, (brought) => {
      for (const pending of batch) pending.call = undefined;
      this.#deliver(batch, brought);
      ended();
    }));
  }

  #deliver(batch: readonly Pending[], brought: Brought): void {
    if ('failure' in brought) {
      this.#failed(batch, brought.failure);
      return;
    }
    for (const [place, pending] of batch.entries()) {
      const answer = brought.answers[place];
      if (answer !== undefined) pending.settle(decisionOf(answer, pending.requestId));
    }
  }

  #failed(batch: readonly Pending[], failure: Failure): void {
    const { clock, telemetry } = this.o;
    const isWhole = failure.remedy === 'apart' && batch.length > 1;
    // One draw for all of them: they come back together, as one call.
    const fraction = clock.fraction();
    for (const pending of batch) {
      if (pending.isSettled) continue;
      if (isWhole) {
        pending.apart = true;
        this.ask(pending);
        continue;
      }
      pending.failure = failure;
      const { attempts, endsAtMs } = pending;
      const waitMs = retryWaitMs(failure, { attempts, leftMs: endsAtMs - clock.nowMs(), fraction });
      if (waitMs === undefined) {
        pending.deny(failure.code);
        continue;
      }
      telemetry.retried(failure.code);
      setTimeout(() => {
        if (!pending.isSettled) this.ask(pending);
      }, waitMs).unref();
    }
  }
}
