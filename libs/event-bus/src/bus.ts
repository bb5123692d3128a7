import { type Database, FACT_BYTES_MAX } from '@writ/event-store';
import { refusals } from '@writ/kernel';
import type { PublishedService, Publishing } from './publishing.js';

/** A topic as its owner wants it. Every user of a topic declares it the same way before using it. */
export interface TopicSpec {
  readonly topic: string;
  /** 1 to 1000; never changed later, since the partition of a key depends on it. */
  readonly partitions: number;
  /**
   * How long Kafka keeps records; without it Kafka's own setting holds. The other carriers keep everything.
   */
  readonly retentionMs?: number;
}

/** One record on its way out. */
export interface OutgoingRecord {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Uint8Array;
}

/** One record as the carrier holds it. `offset` counts within the partition, from 0. */
export interface BusRecord extends OutgoingRecord {
  readonly partition: number;
  readonly offset: number;
}

/** 1 to `BATCH_RECORDS_MAX` records of one partition, in order. */
export interface BusBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly BusRecord[];
  /**
   * The next batch of this partition starts at `offset`, whatever this one held. Resolves when the carrier remembers
   * that, so that the group's next member starts there too; after a rejection nobody does. Await it in `onBatch`.
   */
  seek(offset: number): Promise<void>;
}

export interface SubscribeOptions {
  /**
   * Members of one group share the partitions; each group sees every record. A new group starts at offset 0.
   */
  readonly group: string;
  /** Topics that `ensureTopics` has named. */
  readonly topics: readonly string[];
  /**
   * Called with one batch at a time per partition. When it rejects, the batch is delivered again after a
   * pause. A batch may come twice, to two members even: the group's own position is a hint, never a promise.
   */
  onBatch(batch: BusBatch): Promise<void>;
}

export interface Subscription {
  /** Waits for the batches in hand, then gives the partitions to the other members. */
  stop(): Promise<void>;
  /** False when the carrier has not answered for a minute, or will never answer again. */
  healthy(): boolean;
}

/**
 * Where carriers and consumers say what happened. Fields hold names and numbers, never keys, values or
 * headers.
 */
export type BusLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export const BATCH_RECORDS_MAX = 2000;
/** What the largest fact leaves for key and headers. */
const ENVELOPE_BYTES_MAX = 124 * 1024;
/** Key, headers and value together, in bytes: what every carrier takes. */
export const RECORD_BYTES_MAX = FACT_BYTES_MAX + ENVELOPE_BYTES_MAX;
const PARTITIONS_MAX = 1000;
const topicPattern = /^[a-zA-Z0-9._-]{1,200}$/;

export const refuseRecord = refusals({
  RECORD_TOO_LARGE: 'invalid',
  RECORD_MALFORMED: 'invalid',
  TOPIC_MALFORMED: 'invalid',
  TOPIC_UNKNOWN: 'precondition',
  PARTITION_UNKNOWN: 'invalid',
  PARTITIONS_DIFFER: 'precondition',
});

/**
 * Topics of ordered partitions that keep what they acknowledged. Each record reaches every group at least
 * once and, within its partition, in order. Exactly once is the consumer's work (`FactConsumer`).
 */
export abstract class Bus {
  private readonly partitionsByTopic = new Map<string, number>();

  /**
   * Makes the topics that do not exist yet. Safe to call by many processes at once.
   * @throws Refusal PARTITIONS_DIFFER when a topic exists with another number of partitions
   */
  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) checkTopic(spec);
    const held = await this.createTopics(specs);
    for (const { topic, partitions } of specs) {
      const actual = held.get(topic);
      if (actual !== partitions)
        throw refuseRecord(
          'PARTITIONS_DIFFER',
          `topic \`${topic}\` has ${actual ?? 'no'} partitions, not ${partitions}; keys would change partition`,
        );
      this.partitionsByTopic.set(topic, partitions);
    }
  }

  /** @throws Refusal TOPIC_UNKNOWN for a topic that `ensureTopics` of this instance has not named */
  partitionsOf(topic: string): number {
    const partitions = this.partitionsByTopic.get(topic);
    if (partitions === undefined)
      throw refuseRecord('TOPIC_UNKNOWN', `topic \`${topic}\` was not declared; call ensureTopics first`);
    return partitions;
  }

  /**
   * Appends records to one partition, in order. Resolves only when the carrier durably holds every one of
   * them; after a rejection it may hold none, some or all.
   * @throws Refusal RECORD_TOO_LARGE, RECORD_MALFORMED, TOPIC_UNKNOWN, PARTITION_UNKNOWN before anything is sent
   */
  async publish(topic: string, partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    const partitions = this.partitionsOf(topic);
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions)
      throw refuseRecord(
        'PARTITION_UNKNOWN',
        `topic \`${topic}\` has partitions 0 to ${partitions - 1}, not \`${partition}\``,
      );
    for (const record of records) checkRecord(topic, record);
    if (records.length > 0) await this.send(topic, partition, records);
  }

  abstract subscribe(options: SubscribeOptions): Promise<Subscription>;

  /**
   * How the facts of a service, which are in `facts`, get here without being read; undefined for a carrier that is
   * somewhere else. Its topic is made already.
   */
  async copying(_of: PublishedService, _facts: Database): Promise<Publishing | undefined> {
    return undefined;
  }

  /** Stops every subscription and lets go of the carrier. */
  abstract close(): Promise<void>;

  /** Makes what is missing and answers how many partitions each named topic has. */
  protected abstract createTopics(specs: readonly TopicSpec[]): Promise<ReadonlyMap<string, number>>;
  protected abstract send(
    topic: string,
    partition: number,
    records: readonly OutgoingRecord[],
  ): Promise<void>;
}

/** Key, headers and value, in UTF-8 bytes. */
export function recordBytes(record: OutgoingRecord): number {
  let bytes = Buffer.byteLength(record.key) + record.value.byteLength;
  for (const [name, value] of Object.entries(record.headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

function checkTopic({ topic, partitions }: TopicSpec): void {
  if (!topicPattern.test(topic))
    throw refuseRecord('TOPIC_MALFORMED', `topic \`${topic}\` must be 1 to 200 of a-z, A-Z, 0-9, \`._-\``);
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX)
    throw refuseRecord('TOPIC_MALFORMED', `topic \`${topic}\` must have 1 to ${PARTITIONS_MAX} partitions`);
}

function checkRecord(topic: string, record: OutgoingRecord): void {
  const texts = [record.key, ...Object.keys(record.headers), ...Object.values(record.headers)];
  // Not every carrier can hold U+0000 in text, and none can hold half a surrogate pair.
  if (texts.some((text) => text.includes('\u0000') || !text.isWellFormed()))
    throw refuseRecord(
      'RECORD_MALFORMED',
      `a record for \`${topic}\` has NUL or a lone surrogate in its text`,
    );
  const bytes = recordBytes(record);
  if (bytes > RECORD_BYTES_MAX)
    throw refuseRecord(
      'RECORD_TOO_LARGE',
      `a record of ${bytes} bytes for \`${topic}\` is larger than the ${RECORD_BYTES_MAX} bytes a carrier takes`,
    );
}
