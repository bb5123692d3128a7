import { type EventStore, type StoredFact, schemasOf } from '@writ/event-store';
import type { Bus, OutgoingRecord } from './bus.js';
import { factsTopic, recordOf } from './cloud-event.js';
import type { DatabaseSession } from './database-session.js';
import { partitionOf } from './murmur2.js';
import { BATCH_FACTS, type Published, type PublishedService, type Publishing } from './publishing.js';
import { CURSOR, type Cursor, type CursorRow, cursorOf, deposed } from './relay-cursor.js';
import { traceBatch } from './tracing.js';

/** Reads facts and sends them to a carrier that is somewhere else. */
export class FactCarriage implements Publishing {
  private readonly schema: string;
  private readonly topic: string;

  constructor(
    private readonly of: PublishedService,
    private readonly store: EventStore,
    private readonly bus: Bus,
  ) {
    this.schema = schemasOf(of.service).facts;
    this.topic = factsTopic(of.service);
  }

  async next(session: DatabaseSession, cursor: Cursor): Promise<Published | undefined> {
    const facts = await this.store.readAfter(cursor.pos, BATCH_FACTS);
    const last = facts.at(-1);
    if (last === undefined) return undefined;
    await traceBatch(
      'publish',
      this.topic,
      facts.map(({ meta }) => meta),
      () => this.send(facts),
    );
    return { cursor: await this.advance(session, cursor, last.pos), isFull: facts.length === BATCH_FACTS };
  }

  /**
   * Partitions side by side, one request at a time in each. When one fails, the whole batch is sent again:
   * order first.
   */
  private async send(facts: readonly StoredFact[]): Promise<void> {
    const { service, area } = this.of;
    const partitions = this.bus.partitionsOf(this.topic);
    const byPartition = new Map<number, OutgoingRecord[]>();
    for (const fact of facts) {
      const partition = partitionOf(fact.partKey, partitions);
      const records = byPartition.get(partition) ?? [];
      byPartition.set(partition, records);
      records.push(recordOf(service, area, fact));
    }
    const sent = await Promise.allSettled(
      [...byPartition].map(([partition, records]) => this.bus.publish(this.topic, partition, records)),
    );
    const errors = sent.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    if (errors.length > 0)
      throw new Error(`publishing facts of \`${service}\` failed in ${errors.length} partitions`, {
        cause: errors[0],
      });
  }

  private async advance(session: DatabaseSession, cursor: Cursor, pos: number): Promise<Cursor> {
    const [row] = await session.query<CursorRow>(
      `update ${this.schema}.cursor set pos = $2, epoch = epoch + 1 where name = $1 and epoch = $3 returning pos, epoch`,
      [CURSOR, pos, cursor.epoch],
    );
    if (row === undefined) throw deposed(this.of.service, cursor);
    return cursorOf(row);
  }
}
