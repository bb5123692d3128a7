import { type Database, type EventStore, type StoredFact, schemasOf } from '@writ/event-store';
import { Alarm, Backoff } from './backoff.js';
import type { Bus, BusLog, OutgoingRecord } from './bus.js';
import { factsTopic, factsTopicSpec, recordOf } from './cloud-event.js';
import { DatabaseSession } from './database-session.js';
import { partitionOf } from './murmur2.js';
import { traceBatch } from './tracing.js';

export interface RelayOptions {
  /** `session-broker` */
  readonly service: string;
  /** The proto area of its facts: `session` in `writ.session.v1`. */
  readonly area: string;
  /** Keeps one connection of its pool for leadership. */
  readonly database: Database;
  readonly store: EventStore;
  readonly bus: Bus;
  readonly log: BusLog;
}

interface Cursor {
  readonly pos: number;
  readonly epoch: number;
}

const CURSOR = 'relay';
const BATCH_FACTS = 500;
const POLL_MS = 250;
/** How long a relay that does not lead waits before it tries again. */
const FOLLOW_MS = 500;

/**
 * Publishes a service's facts in the order of their positions, each at least once. Any number of relays may
 * run for one service: one leads, by a session lock; a deposed one that does not know it yet cannot move the
 * cursor, because each move names the epoch it follows.
 */
export class Relay {
  private readonly alarm = new Alarm();
  /** After a failure; an append does not end it. */
  private readonly pause = new Alarm();
  private readonly backoff = new Backoff(100, 5_000);
  private readonly schema: string;
  private readonly topic: string;
  private stopping = false;
  private running: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;

  constructor(private readonly options: RelayOptions) {
    this.schema = schemasOf(options.service).facts;
    this.topic = factsTopic(options.service);
  }

  /**
   * Does not wait for bus or database: facts are durable before the relay sees them, so it may catch up
   * later.
   */
  start(): void {
    this.unlisten = this.options.store.onAppend(() => this.alarm.wake());
    this.running = this.run();
  }

  /** Waits for the batch in hand. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.unlisten?.();
    this.alarm.wake();
    this.pause.wake();
    await this.running;
  }

  /** Facts that are stored and not yet published; whoever leads. */
  async lag(): Promise<number> {
    // The cursor first: read after it, the head can only be further.
    const { pos } = await this.cursor();
    return (await this.options.store.head()) - pos;
  }

  /**
   * Publishes again everything after `pos`: for a bus that has lost records, or a consumer younger than the
   * bus remembers. Consumers drop what they have had.
   */
  async rewind(pos: number): Promise<void> {
    await this.options.database.query(
      `update ${this.schema}.cursor set pos = least(pos, $2), epoch = epoch + 1 where name = $1`,
      [CURSOR, pos],
    );
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      let session: DatabaseSession | undefined;
      try {
        session = await DatabaseSession.open(this.options.database);
        if (await this.elected(session)) await this.lead(session);
      } catch (error) {
        const pauseMs = this.backoff.nextMs();
        const { service, log } = this.options;
        log('warn', 'the relay could not publish, trying again', { service, pauseMs, error });
        if (!this.stopping) await this.pause.wait(pauseMs);
      } finally {
        session?.close();
      }
    }
  }

  /** Waits to lead; false when stopped first. */
  private async elected(session: DatabaseSession): Promise<boolean> {
    while (!this.stopping) {
      if (await session.tryLock(`writ-relay/${this.schema}`)) return true;
      await this.alarm.wait(FOLLOW_MS);
    }
    return false;
  }

  private async lead(session: DatabaseSession): Promise<void> {
    const { store, bus, service, log } = this.options;
    await bus.ensureTopics([factsTopicSpec(service)]);
    let cursor = await this.cursor();
    log('info', 'this relay leads', { service, pos: cursor.pos });
    while (!this.stopping) {
      const facts = await store.readAfter(cursor.pos, BATCH_FACTS);
      const last = facts.at(-1);
      if (last === undefined) {
        await this.alarm.wait(POLL_MS);
        cursor = await this.stillLeading(session);
        continue;
      }
      await traceBatch(
        'publish',
        this.topic,
        facts.map(({ meta }) => meta),
        () => this.publish(facts),
      );
      cursor = await this.advance(session, cursor, last.pos);
      this.backoff.reset();
    }
  }

  /**
   * Partitions side by side, one request at a time in each. When one fails, the whole batch is sent again:
   * order first.
   */
  private async publish(facts: readonly StoredFact[]): Promise<void> {
    const { bus, service, area } = this.options;
    const partitions = bus.partitionsOf(this.topic);
    const byPartition = new Map<number, OutgoingRecord[]>();
    for (const fact of facts) {
      const partition = partitionOf(fact.partKey, partitions);
      const records = byPartition.get(partition) ?? [];
      byPartition.set(partition, records);
      records.push(recordOf(service, area, fact));
    }
    const sent = await Promise.allSettled(
      [...byPartition].map(([partition, records]) => bus.publish(this.topic, partition, records)),
    );
    const errors = sent.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    if (errors.length > 0)
      throw new Error(`publishing facts of \`${service}\` failed in ${errors.length} partitions`, {
        cause: errors[0],
      });
  }

  private async cursor(): Promise<Cursor> {
    const { database } = this.options;
    await database.query(
      `insert into ${this.schema}.cursor (name, pos, epoch) values ($1, 0, 0) on conflict do nothing`,
      [CURSOR],
    );
    const { rows } = await database.query<{ pos: string; epoch: string }>(
      `select pos, epoch from ${this.schema}.cursor where name = $1`,
      [CURSOR],
    );
    return cursorOf(rows[0]);
  }

  /** Asks through the session, so that it fails when leadership is lost; sees a `rewind`. */
  private async stillLeading(session: DatabaseSession): Promise<Cursor> {
    const [row] = await session.query<{ pos: string; epoch: string }>(
      `select pos, epoch from ${this.schema}.cursor where name = $1`,
      [CURSOR],
    );
    return cursorOf(row);
  }

  private async advance(session: DatabaseSession, { epoch }: Cursor, pos: number): Promise<Cursor> {
    const [row] = await session.query<{ pos: string; epoch: string }>(
      `update ${this.schema}.cursor set pos = $2, epoch = epoch + 1 where name = $1 and epoch = $3 returning pos, epoch`,
      [CURSOR, pos, epoch],
    );
    if (row === undefined)
      throw new Error(`the relay of \`${this.options.service}\` was deposed at epoch ${epoch}`);
    return cursorOf(row);
  }
}

function cursorOf(row: { pos: string; epoch: string } | undefined): Cursor {
  if (row === undefined) throw new Error(`cursor \`${CURSOR}\` is gone`);
  return { pos: Number(row.pos), epoch: Number(row.epoch) };
}
