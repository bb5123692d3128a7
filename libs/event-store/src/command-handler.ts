import { type Call, type Decider, Refusal } from '@writ/kernel';
import { decodeFact, encodeFact, type Facts } from './codec.js';
import { type CommandLog, refuseCommand } from './command-log.js';
import type { Database } from './database.js';
import type { EventStore } from './event-store.js';
import type { StoredFact } from './fact.js';
import type { Tx } from './tx.js';
import { applyViews, type View } from './view.js';

interface AnyEvent {
  type: string;
  data: unknown;
}

export interface CommandOrder<S, C, E extends AnyEvent> {
  readonly decider: Decider<S, C, E>;
  readonly facts: Facts<E>;
  readonly streamId: string;
  /**
   * Whether `streamId` was made for this command, so that nobody else can have begun the stream: all is then sent to the
   * database at once. No view may ask for the position of such a fact: it is known after the commit.
   */
  readonly begins?: boolean;
  /** The noun of the stream: `agent`. */
  readonly kind: string;
  readonly partKey: string;
  readonly command: C;
  /** Of one call with a request id, only one command may be handled with it; hand on the others without. */
  readonly call: Call;
  /** The version the client saw, as a string; empty or absent when it does not care. */
  readonly expectedEtag?: string;
}

export interface Handled<S, E> {
  /** Of the first attempt, where this is a replay: its stream may have another name than this call's. */
  readonly streamId: string;
  /** The stream's version afterwards; as a string, its etag. */
  readonly version: number;
  /** Of the stream's last fact; 0 when it has none. */
  readonly pos: number;
  /** What the command led to; nothing when it was so already. */
  readonly facts: readonly E[];
  /** Right after the command, also in a replay. */
  readonly state: S;
  /** Whether this is the answer to an earlier request with the same id. */
  readonly replayed: boolean;
}

export interface CommandHandlerSettings {
  readonly database: Database;
  readonly store: EventStore;
  readonly log: CommandLog;
  /** The service's own; they see each fact in the transaction that appends it. */
  readonly views: readonly View[];
}

const ATTEMPTS = 3;
// serialization_failure, deadlock_detected: the transaction is gone, the command is as good as new.
const undone = new Set(['40001', '40P01']);
// unique_violation, division_by_zero: the request id is taken, or the stream has begun.
const known = new Set(['23505', '22012']);

/** Carries out commands: reads a stream, folds it, decides, appends at the version read, keeps views up to date. */
export class CommandHandler {
  constructor(private readonly at: CommandHandlerSettings) {}

  /**
   * Resolves when the facts are durable, or with `tx`, when they become durable with it.
   *
   * @throws Refusal of the decider, ETAG_STALE, REQUEST_ID_REUSED, or what a view refuses; nothing has changed then
   */
  async handle<S, C, E extends AnyEvent>(order: CommandOrder<S, C, E>, tx?: Tx): Promise<Handled<S, E>> {
    if (tx) return this.handleIn(tx, order);
    const begun = order.begins ? await this.beginStream(order) : undefined;
    if (begun) return begun;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.at.database.transaction((own) => this.handleIn(own, order));
      } catch (cause) {
        if (attempt === ATTEMPTS || !isUndone(cause)) throw cause;
      }
    }
  }

  /**
   * A new stream, taken for granted: statements and commit travel together, and the database undoes all of it where that
   * was wrong. Undefined then, or where there is nothing to write: the way that asks first tells what is the matter.
   */
  private async beginStream<S, C, E extends AnyEvent>(
    order: CommandOrder<S, C, E>,
  ): Promise<Handled<S, E> | undefined> {
    const { facts, streamId, kind, partKey, call } = order;
    const { database, store, log, views } = this.at;
    try {
      checkEtag(order, 0);
      const events = decideOn(order, []);
      if (events.length === 0) return undefined;
      const stored = await database.transaction(async (tx) => {
        log.claim(tx, call, { streamId, from: 0, version: events.length });
        const encoded = events.map((event) => encodeFact(facts, event));
        const begun = store.begin({ streamId, kind, partKey, facts: encoded, call }, tx);
        await applyViews(views, begun, tx);
        return begun;
      });
      return { ...answer(order, streamId, stored, 0), replayed: false };
    } catch (cause) {
      if (cause instanceof Refusal || isUndone(cause) || hasCode(cause, known)) return undefined;
      throw cause;
    }
  }

  private async handleIn<S, C, E extends AnyEvent>(
    tx: Tx,
    order: CommandOrder<S, C, E>,
  ): Promise<Handled<S, E>> {
    const { log, store } = this.at;
    const [before, found] = await Promise.all([log.begin(tx, order.call), store.read(order.streamId, tx)]);
    if (before) {
      const past = (await store.read(before.streamId, tx)).slice(0, before.version);
      return { ...answer(order, before.streamId, past, before.from), replayed: true };
    }
    for (let attempt = 1; ; attempt += 1) {
      const past = attempt === 1 ? found : await store.read(order.streamId, tx);
      checkEtag(order, past.length);
      const events = decideOn(order, past);
      try {
        const stored = await this.append(tx, order, past.length, events);
        log.finish(tx, order.call, {
          streamId: order.streamId,
          from: past.length,
          version: past.length + stored.length,
        });
        return { ...answer(order, order.streamId, [...past, ...stored], past.length), replayed: false };
      } catch (cause) {
        // After a conflict this transaction holds the head, so nobody else can append: the next attempt meets the truth.
        if (attempt === ATTEMPTS || !isConflict(cause)) throw cause;
      }
    }
  }

  private async append<S, C, E extends AnyEvent>(
    tx: Tx,
    { facts, streamId, kind, partKey, call }: CommandOrder<S, C, E>,
    expected: number,
    events: readonly E[],
  ): Promise<StoredFact[]> {
    if (events.length === 0) return [];
    const append = {
      streamId,
      kind,
      partKey,
      expected,
      facts: events.map((event) => encodeFact(facts, event)),
      call,
    };
    return this.at.store.append([append], (own, stored) => applyViews(this.at.views, stored, own), tx);
  }
}

function decideOn<S, C, E extends AnyEvent>(
  { decider, facts, command }: CommandOrder<S, C, E>,
  past: readonly StoredFact[],
): readonly E[] {
  return decider.decide(command, fold(decider, facts, past));
}

function fold<S, C, E extends AnyEvent>(
  decider: Decider<S, C, E>,
  facts: Facts<E>,
  past: readonly StoredFact[],
): S {
  return past.reduce<S>(
    (state, fact) => decider.evolve(state, decodeFact(facts, fact)),
    decider.initialState(),
  );
}

function answer<S, C, E extends AnyEvent>(
  { decider, facts }: CommandOrder<S, C, E>,
  streamId: string,
  all: readonly StoredFact[],
  from: number,
): Omit<Handled<S, E>, 'replayed'> {
  return {
    streamId,
    version: all.length,
    pos: all.at(-1)?.pos ?? 0,
    facts: all.slice(from).map((fact) => decodeFact(facts, fact)),
    state: fold(decider, facts, all),
  };
}

function checkEtag<S, C, E extends AnyEvent>(
  { streamId, expectedEtag }: CommandOrder<S, C, E>,
  version: number,
) {
  if (!expectedEtag || expectedEtag === String(version)) return;
  throw refuseCommand(
    'ETAG_STALE',
    `\`${streamId}\` has changed since etag \`${expectedEtag}\`, it is at \`${version}\`; read it again`,
  );
}

function isConflict(thrown: unknown): boolean {
  return thrown instanceof Refusal && thrown.code === 'STREAM_CONFLICT';
}

function isUndone(thrown: unknown): boolean {
  return hasCode(thrown, undone);
}

function hasCode(thrown: unknown, codes: ReadonlySet<string>): boolean {
  return thrown instanceof Error && 'code' in thrown && codes.has(String(thrown.code));
}
