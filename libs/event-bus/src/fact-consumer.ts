import { type Database, schemasOf, type Tx } from '@writ/event-store';
import { type Call, Refusal } from '@writ/kernel';
import { Alarm } from './backoff.js';
import type { Bus, BusBatch, BusLog, Subscription } from './bus.js';
import { type ConsumedFact, factsTopic, factsTopicSpec, sourceOfTopic, Undecodable } from './cloud-event.js';
import { type DeadLetter, DeadLetters } from './dead-letter.js';
import { isEnvironmentFailure } from './environment-failure.js';
import { Inbox, type SourcePosition } from './inbox.js';
import { type OpenedRecord, open, openAll } from './opened.js';
import type { Reactions } from './reactions.js';
import { type Known, type NewFact, sift } from './sift.js';
import { traceBatch } from './tracing.js';
import { Lookahead, Turns } from './turns.js';

export interface FactConsumerOptions {
  /** Who consumes; offsets, dead letters and parked keys are in the schema of its views. */
  readonly service: string;
  readonly database: Database;
  readonly bus: Bus;
  readonly reactions: Reactions;
  /** The call a reaction makes its commands with. */
  callFor(fact: ConsumedFact): Call;
  readonly log: BusLog;
}

/** Records of a batch that are consumed in one transaction, or one by one after a failure. */
interface Part {
  readonly batch: BusBatch;
  readonly records: readonly OpenedRecord[];
  /** To be called when the batch has its turn: the one behind it is opened from then on. */
  begun(): void;
}

type Manner = 'together' | 'alone';

const FAILURES_MAX = 3;
/** Somebody else wrote to the same stream each time: not the fact's fault, so more patience. */
const CONFLICTS_MAX = 20;
const RETRY_MS = 50;

/**
 * Lets a group's reactions happen exactly once for each fact: the effect, the set of received positions and
 * the offset are one transaction. The carrier may repeat, reorder across partitions and forget positions; it
 * decides nothing.
 */
export class FactConsumer {
  private readonly inbox: Inbox;
  private readonly letters: DeadLetters;
  /** By partition: where its carrier went back to, until something of it was consumed. */
  private readonly soughtOffsets = new Map<string, number>();
  /** Batches that came too early, and where their partition goes on instead. */
  private readonly early = new WeakMap<BusBatch, number>();
  private subscription: Subscription | undefined;

  constructor(private readonly options: FactConsumerOptions) {
    const { views } = schemasOf(options.service);
    this.inbox = new Inbox(views, options.reactions.group);
    this.letters = new DeadLetters(views, options.reactions.group);
  }

  /** @throws Error when bus or database do not answer */
  async start(): Promise<void> {
    const { bus, database, reactions } = this.options;
    await this.inbox.prepare(database, reactions.sources);
    await reactions.begin?.(database);
    await bus.ensureTopics(reactions.sources.map(factsTopicSpec));
    this.subscription = await bus.subscribe({
      group: reactions.group,
      topics: reactions.sources.map(factsTopic),
      onBatch: (batch) => this.onBatch(batch),
    });
  }

  /** Waits for the batches in hand. */
  async stop(): Promise<void> {
    await this.subscription?.stop();
    this.subscription = undefined;
  }

  healthy(): boolean {
    return this.subscription?.healthy() ?? false;
  }

  /** What the group has received, of each source; parked facts count. */
  positions(): Promise<Map<string, SourcePosition>> {
    return this.inbox.positions(this.options.database);
  }

  /** What was set aside and waits, oldest first. */
  deadLetters(limit: number): Promise<DeadLetter[]> {
    return this.letters.waiting(this.options.database, limit);
  }

  /**
   * Tries a parked key's facts again, in order, each in a transaction of its own, and lets the key go when
   * none is left.
   * @returns how many facts took effect
   * @throws Error at the first that fails again; it and what is behind it stay parked
   */
  async redrive(key: string): Promise<number> {
    const { database } = this.options;
    let done = 0;
    for (const source of await this.letters.sourcesParking(database, key))
      while (await database.transaction((tx) => this.redriveNext(tx, source, key))) done += 1;
    return done;
  }

  private async redriveNext(tx: Tx, source: string, key: string): Promise<boolean> {
    await this.inbox.lock(tx, source);
    const letter = await this.letters.next(tx, source, key);
    if (letter === undefined) {
      await this.letters.unpark(tx, source, key);
      return false;
    }
    const opened = open(letter.topic, letter.record, this.options.reactions);
    const { facts } = sift(letter.topic, [opened], { seen: new Set(), parkedKeys: new Set() });
    if (facts.length === 0) throw new Error(`dead letter ${letter.id} is no fact any more`);
    try {
      await this.react(facts, tx, 'alone');
    } catch (error) {
      throw new Error(`redriving \`${key}\` stopped at ${source}/${letter.pos}`, { cause: error });
    }
    await this.letters.redriven(tx, letter.id);
    return true;
  }

  /** Batches of one source wait for each other at its row of received positions: here, and not on a connection. */
  private readonly turns = new Turns();
  private readonly lookahead = new Lookahead();

  private async onBatch(batch: BusBatch): Promise<void> {
    const { topic } = batch;
    const traced = batch.records.map(({ headers }) => ({ traceparent: headers.traceparent ?? '' }));
    await traceBatch('process', topic, traced, () =>
      this.lookahead.run(
        sourceOfTopic(topic),
        () => openAll(topic, batch.records, this.options.reactions),
        (records, begun) => this.consume({ batch, records, begun }),
      ),
    );
    const offset = this.early.get(batch);
    if (offset === undefined) return;
    // Only once the carrier remembers it: a hole is what it still leaves out then.
    await batch.seek(offset);
    this.soughtOffsets.set(`${batch.topic}/${batch.partition}`, offset);
  }

  /**
   * All at once; when their own fault prevents that, in halves, so that one bad record costs a few more
   * transactions.
   */
  private async consume(part: Part): Promise<void> {
    const { records } = part;
    try {
      await this.commit(part, 'together');
    } catch (error) {
      // Rejecting lets the carrier pause and deliver the batch again; what was committed is dropped then.
      if (isEnvironmentFailure(error)) throw error;
      const middle = records.length >> 1;
      if (middle === 0) return this.consumeAlone(part);
      await this.consume({ ...part, records: records.slice(0, middle) });
      await this.consume({ ...part, records: records.slice(middle) });
    }
  }

  private async consumeAlone(part: Part): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.commit(part, 'alone');
      } catch (error) {
        if (isEnvironmentFailure(error)) throw error;
        const conflict = error instanceof Refusal && error.kind === 'conflict';
        if (failures >= (conflict ? CONFLICTS_MAX : FAILURES_MAX)) return this.setAside(part, error);
      }
      await new Alarm().wait(RETRY_MS);
    }
  }

  private async commit(part: Part, manner: Manner): Promise<void> {
    await this.inInbox(part, async (tx, known) => {
      const { topic } = part.batch;
      const { facts, behind, opaque } = sift(topic, part.records, known);
      await this.react(facts, tx, manner);
      const kept = await this.letters.keep(tx, [...behind, ...opaque]);
      for (const letter of opaque) {
        if (!kept.has(letter)) continue;
        const { record, source, detail } = letter;
        await this.options.reactions.handleOpaque?.({ ...record, topic, source, reason: detail }, tx);
      }
      return [...facts.map(({ fact }) => fact.pos), ...behind.map(({ pos }) => pos ?? 0)];
    });
  }

  private async react(facts: readonly NewFact[], tx: Tx, manner: Manner): Promise<void> {
    const { reactions, callFor } = this.options;
    if (facts.length === 0) return;
    const prepared = facts.map((one) => {
      if ('failure' in one.prepared) throw one.prepared.failure;
      return one.prepared.value;
    });
    const bare = facts.map(({ fact }) => fact);
    if (manner === 'together' && reactions.handleBatch)
      return reactions.handleBatch(bare, tx, (fact) => callFor(fact), prepared);
    for (const [at, fact] of bare.entries()) await reactions.handle(fact, tx, callFor(fact), prepared[at]);
  }

  /** The record becomes a dead letter, its key waits, and the partition goes on. */
  private async setAside(part: Part, error: unknown): Promise<void> {
    const { log, reactions } = this.options;
    const { topic, partition } = part.batch;
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    await this.inInbox(part, async (tx, known) => {
      const { facts, behind, opaque } = sift(topic, part.records, known);
      const failed = facts.map(({ fact, letter }) => ({ fact, letter: { ...letter, detail: reason } }));
      const letters = opaque.map((letter) => ({
        ...letter,
        detail: `${letter.detail}; handling it failed: ${reason}`,
      }));
      await this.letters.keep(tx, [...failed.map(({ letter }) => letter), ...behind, ...letters]);
      for (const { fact } of failed) await this.letters.park(tx, fact.source, fact.partKey);
      return [...failed.map(({ fact }) => fact.pos), ...behind.map(({ pos }) => pos ?? 0)];
    });
    const offset = part.records[0]?.record.offset;
    log('error', 'a record was set aside', { group: reactions.group, topic, partition, offset, error });
  }

  /** Runs `work`, which answers the positions it received, in the transaction that also moves the inbox. */
  private async inInbox(
    { batch, records, begun }: Part,
    work: (tx: Tx, known: Known) => Promise<number[]>,
  ): Promise<void> {
    const { topic, partition } = batch;
    const source = sourceOfTopic(topic);
    const first = records[0]?.record.offset ?? 0;
    const next = (records.at(-1)?.record.offset ?? 0) + 1;
    const wanted = records.flatMap(({ fact }) => (fact instanceof Undecodable ? [] : [fact.pos]));
    if (this.early.has(batch)) return;
    await this.turns.take(source, () => {
      begun();
      return this.options.database.transaction(async (tx) => {
        const known = await this.inbox.open(tx, source, partition, wanted);
        if (first > known.offset && this.comesEarly(batch, known.offset, first)) return;
        const positions = await work(tx, known);
        await this.inbox.close(tx, source, partition, known, { positions, offset: next });
      });
    });
    if (!this.early.has(batch)) this.soughtOffsets.delete(`${topic}/${partition}`);
  }

  /**
   * Then the carrier is asked for what lies between. When it starts further on again, it holds no more of it: the
   * group goes on, and `positions` show the hole until the source's relay is rewound.
   */
  private comesEarly(batch: BusBatch, offset: number, first: number): boolean {
    const { topic, partition } = batch;
    if (this.soughtOffsets.get(`${topic}/${partition}`) !== offset) {
      this.early.set(batch, offset);
      return true;
    }
    const { group } = this.options.reactions;
    this.options.log('error', 'the bus no longer holds records', { group, topic, partition, offset, first });
    return false;
  }
}
