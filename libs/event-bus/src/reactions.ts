import type { Database, Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import type { BusRecord } from './bus.js';
import type { ConsumedFact } from './cloud-event.js';

/** A record of a facts topic that is no fact: kept as it came, with the reason. */
export interface OpaqueRecord extends BusRecord {
  readonly topic: string;
  /** The service whose topic held it. It may have been written by anybody who may write there. */
  readonly source: string;
  readonly reason: string;
}

/**
 * What a service does about facts of others. Everything happens in the consumer's transaction `tx`, exactly
 * once, and facts of one key come in order. No call to another service: the transaction would wait for it.
 */
export abstract class Reactions<Prepared = unknown> {
  /** Unique in the deployment and never changed: it names what was consumed. */
  abstract readonly group: string;
  /** Names of services. */
  abstract readonly sources: readonly string[];

  /** Called once, before the first fact: what has to be known for all of them. */
  begin?(database: Database): Promise<void>;

  /**
   * What can be worked out about a fact by itself. It is called while the batch before is still with the database, for
   * some facts more than once and for some that turn out to be known: no effect, no I/O, and not for long. What it
   * throws counts as thrown by `handle`.
   */
  prepareFact?(fact: ConsumedFact): Prepared;

  /**
   * The effect of one fact. What it throws undoes the effect: after three tries the fact is set aside and its
   * key parked, unless the world around is to blame (`isEnvironmentFailure`), then it is tried until it
   * succeeds.
   */
  abstract handle(fact: ConsumedFact, tx: Tx, call: Call, prepared: Prepared): Promise<void>;

  /**
   * The effect of 1 to 2000 facts at once, in their order, instead of `handle` for each. When it throws,
   * halves are tried, down to single facts, which go to `handle`.
   */
  handleBatch?(
    facts: readonly ConsumedFact[],
    tx: Tx,
    callFor: (fact: ConsumedFact) => Call,
    prepared: readonly Prepared[],
  ): Promise<void>;

  /** A record that is no fact. It is kept as a dead letter in any case. */
  handleOpaque?(record: OpaqueRecord, tx: Tx): Promise<void>;
}
