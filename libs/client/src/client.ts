import { type Clock, systemClock } from './clock.js';
import { type Decision, noAnswer } from './decision.js';
import { Dispatcher } from './dispatcher.js';
import { Engine } from './engine.js';
import { type IdentityMaterial, type IdentitySource, identityIn, readIdentity } from './identity.js';
import type { NoAnswerCode } from './no-answer.js';
import { Pending } from './pending.js';
import { type Message, messageOf, type Question } from './question.js';
import { IdentityRenewal } from './renewal.js';
import { engineSpiffeId, readSpiffeId } from './server-identity.js';
import { Telemetry } from './telemetry.js';

/** The engine that is asked must prove to be this one. */
type Server =
  | {
      /** Its policy engine is meant: `writ.local`. */ readonly trustDomain: string;
      readonly serverSpiffeId?: never;
    }
  | { readonly serverSpiffeId: string; readonly trustDomain?: never };

/** Who this client is: a folder with `tls.crt`, `tls.key` and `ca.crt`, the material, or what fetches it. */
type Own =
  | { readonly identityDir: string; readonly identity?: never }
  | { readonly identity: IdentitySource; readonly identityDir?: never };

export type ClientOptions = Server &
  Own & {
    /** `host:port` of the policy engine. */
    readonly address: string;
    /** Milliseconds for a decision, 1 to 30,000; 1,000 when absent. */
    readonly deadlineMs?: number;
    /** Questions in one call, 1 to 100; 100 when absent. */
    readonly maxBatch?: number;
    /** Questions that may be undecided at once, 1 to 100,000; 1,000 when absent. One more is denied at once. */
    readonly inFlightMax?: number;
    /** Told when the identity could not be renewed; the present one stays in use. A process warning when absent. */
    readonly onRenewalFailed?: (cause: unknown) => void;
  };

export interface DecideWish {
  /** Raised: the question is denied with ABORTED at once. */
  readonly signal?: AbortSignal;
  /** Milliseconds for this decision, 1 to 30,000. */
  readonly deadlineMs?: number;
}

export interface DecisionClient {
  /**
   * May it? Resolves in every case; without an answer of the engine, to a deny.
   * @throws Refusal QUESTION_INVALID for a question that is not well formed; a RangeError for a deadline out of range
   */
  decide(question: Question, wish?: DecideWish): Promise<Decision>;
  /** Looks for a newer certificate now, instead of within the next minute. */
  renew(): Promise<void>;
  /**
   * Takes no more questions. Those under way get their answers within `deadlineMs`, the option's when absent; what is left
   * then is denied with CLIENT_CLOSED.
   */
  close(deadlineMs?: number): Promise<void>;
}

const DEADLINE_MS_MAX = 30_000;
const BATCH_MAX = 100;
const IN_FLIGHT_MAX = 100_000;
const address = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/;

/**
 * Opens a client of the policy engine. It connects with the first question.
 * @throws RangeError for an option out of range, Error for an identity that cannot be used
 */
export async function openClient(
  options: ClientOptions,
  clock: Clock = systemClock,
): Promise<DecisionClient> {
  const settings = {
    deadlineMs: inRange('deadlineMs', options.deadlineMs ?? 1_000, DEADLINE_MS_MAX),
    maxBatch: inRange('maxBatch', options.maxBatch ?? BATCH_MAX, BATCH_MAX),
    inFlightMax: inRange('inFlightMax', options.inFlightMax ?? 1_000, IN_FLIGHT_MAX),
  };
  if (!address.test(options.address)) throw new RangeError('`address` must be `host:port`');
  const serverSpiffeId = serverOf(options);
  const source = sourceOf(options);
  const identity = await readIdentity(source);
  const telemetry = new Telemetry();
  const engine = new Engine({ address: options.address, serverSpiffeId, telemetry }, identity);
  const renewal = new IdentityRenewal(source, identity, {
    clock,
    renewed: (next) => engine.present(next),
    failed: options.onRenewalFailed ?? warn,
  });
  const dispatcher = new Dispatcher({ engine, clock, telemetry, maxBatch: settings.maxBatch });
  return new OpenClient({
    ...settings,
    isAgent: identity.isAgent,
    engine,
    renewal,
    dispatcher,
    telemetry,
    clock,
  });
}

class OpenClient implements DecisionClient {
  readonly #undecided = new Set<Pending>();
  #closing: Promise<void> | undefined;
  #whenIdle = () => {};

  constructor(
    private readonly o: {
      readonly deadlineMs: number;
      readonly inFlightMax: number;
      readonly isAgent: boolean;
      readonly engine: Engine;
      readonly renewal: IdentityRenewal;
      readonly dispatcher: Dispatcher;
      readonly telemetry: Telemetry;
      readonly clock: Clock;
    },
  ) {}

  async decide(question: Question, { signal, deadlineMs }: DecideWish = {}): Promise<Decision> {
    const { clock, dispatcher, isAgent } = this.o;
    const withinMs = inRange('deadlineMs', deadlineMs ?? this.o.deadlineMs, DEADLINE_MS_MAX);
    const message = messageOf(question, { isAgent, newRequestId: clock.newRequestId });
    const refused = this.#refusedAtOnce(signal);
    if (refused !== undefined) return this.#deniedAtOnce(refused, message);
    const startMs = clock.monotonicMs();
    const pending = new Pending(message, {
      endsAtMs: clock.nowMs() + withinMs,
      deadlineMs: withinMs,
      signal,
      settled: (settled, decision) => {
        this.#undecided.delete(settled);
        this.o.telemetry.decided(decision, clock.monotonicMs() - startMs);
        if (this.#undecided.size === 0) this.#whenIdle();
      },
    });
    this.#undecided.add(pending);
    dispatcher.ask(pending);
    return pending.decision;
  }

  renew(): Promise<void> {
    return this.o.renewal.renew();
  }

  close(deadlineMs = this.o.deadlineMs): Promise<void> {
    this.#closing ??= this.#close(inRange('deadlineMs', deadlineMs, DEADLINE_MS_MAX, 0));
    return this.#closing;
  }

  #refusedAtOnce(signal: AbortSignal | undefined): NoAnswerCode | undefined {
    if (this.#closing !== undefined) return 'CLIENT_CLOSED';
    if (signal?.aborted === true) return 'ABORTED';
    return this.#undecided.size >= this.o.inFlightMax ? 'CLIENT_OVERLOADED' : undefined;
  }

  #deniedAtOnce(code: NoAnswerCode, { requestId }: Message): Decision {
    const decision = noAnswer(code, requestId);
    this.o.telemetry.decided(decision, 0);
    return decision;
  }

  async #close(withinMs: number): Promise<void> {
    this.o.renewal.stop();
    if (this.#undecided.size > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
      const timer = setTimeout(() => {
        for (const pending of [...this.#undecided]) pending.deny('CLIENT_CLOSED');
      }, withinMs);
      await idle;
      clearTimeout(timer);
    }
    this.o.engine.close();
  }
}

function serverOf({ serverSpiffeId, trustDomain }: Server): string {
  if (serverSpiffeId === undefined && trustDomain === undefined)
    throw new RangeError('one of `trustDomain` and `serverSpiffeId` must say whom to meet');
  if (serverSpiffeId === undefined) return engineSpiffeId(trustDomain);
  if (readSpiffeId(serverSpiffeId) === undefined)
    throw new RangeError('`serverSpiffeId` must be a SPIFFE ID with a path');
  return serverSpiffeId;
}

function sourceOf({ identity, identityDir }: Own): IdentityMaterial | (() => Promise<IdentityMaterial>) {
  return identity ?? identityIn(identityDir);
}

function inRange(name: string, value: number, max: number, min = 1): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`\`${name}\` must be a whole number from ${min} to ${max}`);
}

function warn(cause: unknown): void {
  const why = cause instanceof Error ? cause.message : String(cause);
  process.emitWarning(`the certificate of a decision client was not renewed: ${why}`, 'WritClientWarning');
}
