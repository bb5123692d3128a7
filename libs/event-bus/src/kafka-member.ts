import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { Backoff } from './backoff.js';
import { BATCH_RECORDS_MAX, type BusLog, type BusRecord, type SubscribeOptions } from './bus.js';

export interface KafkaMemberOptions extends SubscribeOptions {
  readonly kafka: Kafka;
  readonly log: BusLog;
  onFatal(error: Error): void;
  readonly fetchSilenceMsMax: number;
}

const HEARTBEAT_MS = 1_000;
const PARTITIONS_AT_ONCE = 4;
/** How long a group that settles anew waits for its members. */
const REBALANCE_MS_MAX = 60_000;
const JOIN_MS_MAX = REBALANCE_MS_MAX + 30_000;
/** kafkajs may wait for ever for a broker that is gone. */
const LEAVE_MS_MAX = 10_000;

/**
 * One member of a Kafka group. Positions in Kafka are for lag dashboards; what was consumed, the consumer
 * knows itself.
 */
export class KafkaMember {
  private readonly consumer: Consumer;
  private readonly backoffs = new Map<string, Backoff>();
  private readonly resuming = new Set<NodeJS.Timeout>();
  private heardAtMs = performance.now();
  private stopped = false;
  private dead = false;
  private restarts = 0;

  constructor(private readonly options: KafkaMemberOptions) {
    this.consumer = options.kafka.consumer({
      groupId: options.group,
      sessionTimeout: 30_000,
      rebalanceTimeout: REBALANCE_MS_MAX,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: 1024 * 1024,
      maxBytes: 8 * 1024 * 1024,
      allowAutoTopicCreation: false,
      retry: {
        retries: 5,
        initialRetryTime: 200,
        maxRetryTime: 5_000,
        factor: 0.2,
        multiplier: 2,
        restartOnFailure: async () => !this.stopped,
      },
    });
  }

  /** Resolves when the group has given this member its partitions. */
  async start(): Promise<void> {
    const { consumer } = this;
    const { FETCH, START_BATCH_PROCESS, END_BATCH_PROCESS, CRASH, GROUP_JOIN } = consumer.events;
    const hear = () => {
      this.heardAtMs = performance.now();
    };
    for (const event of [FETCH, START_BATCH_PROCESS, END_BATCH_PROCESS]) consumer.on(event, hear);
    const joined = Promise.withResolvers<void>();
    // It may reject before anybody awaits it, and would end the process.
    joined.promise.catch(() => undefined);
    const late = setTimeout(() => joined.reject(new Error('the group did not form in time')), JOIN_MS_MAX);
    consumer.on(GROUP_JOIN, () => joined.resolve());
    consumer.on(CRASH, ({ payload: { error, restart } }) => {
      if (!restart) joined.reject(error);
      this.crashed(error, restart);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.eachBatch(payload),
      });
      await joined.promise;
    } catch (error) {
      await this.stop();
      throw new Error(`joining group \`${this.options.group}\` failed`, { cause: error });
    } finally {
      clearTimeout(late);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.resuming) clearTimeout(timer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.options.log('warn', 'the broker did not let a member go, leaving anyway', {
          group: this.options.group,
        });
        resolve();
      }, LEAVE_MS_MAX);
    });
    await Promise.race([this.consumer.disconnect(), late]).finally(() => clearTimeout(timer));
  }

  healthy(): boolean {
    if (this.dead || this.stopped) return false;
    return performance.now() - this.heardAtMs < this.options.fetchSilenceMsMax;
  }

  private crashed(error: Error, restart: boolean): void {
    const { group, log } = this.options;
    if (this.stopped) return;
    if (restart) {
      this.restarts += 1;
      log('warn', 'a Kafka consumer restarts', { group, restarts: this.restarts, error });
      return;
    }
    this.dead = true;
    this.options.onFatal(new Error(`the consumer of group \`${group}\` is dead`, { cause: error }));
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    // The group may be settling anew: kafkajs finds out itself by its next heartbeat, after this batch.
    const beat = setInterval(() => void payload.heartbeat().catch(() => undefined), HEARTBEAT_MS);
    try {
      for (let at = 0; at < messages.length; at += BATCH_RECORDS_MAX) {
        if (this.stopped || !payload.isRunning() || payload.isStale()) return;
        const slice = messages.slice(at, at + BATCH_RECORDS_MAX);
        if (!(await this.deliver(payload, slice))) return;
      }
    } finally {
      clearInterval(beat);
    }
    this.backoffs.delete(`${topic}/${partition}`);
  }

  /** False when the partition goes on elsewhere than after these records. */
  private async deliver(payload: EachBatchPayload, messages: readonly KafkaMessage[]): Promise<boolean> {
    const { topic, partition } = payload.batch;
    const records = messages.map((message) => recordOf(partition, message));
    const [first] = records;
    const last = records[records.length - 1];
    if (first === undefined || last === undefined) return true;
    let sought: number | undefined;
    try {
      await this.options.onBatch({
        topic,
        partition,
        records,
        seek: async (offset) => {
          await commit(payload, offset);
          sought = offset;
        },
      });
    } catch (error) {
      this.pause(payload, sought ?? first.offset, error);
      return false;
    }
    if (sought !== undefined) {
      // Of this, kafkajs knows nothing any more after a restart or a rebalance; hence the commit.
      this.consumer.seek({ topic, partition, offset: String(sought) });
      return false;
    }
    payload.resolveOffset(String(last.offset));
    await commit(payload, last.offset + 1);
    return true;
  }

  /** The same batch again after a while; other partitions go on meanwhile. */
  private pause(payload: EachBatchPayload, offset: number, error: unknown): void {
    const { topic, partition } = payload.batch;
    const { group, log } = this.options;
    const name = `${topic}/${partition}`;
    const backoff = this.backoffs.get(name) ?? new Backoff(100, 5_000);
    this.backoffs.set(name, backoff);
    const pauseMs = backoff.nextMs();
    log('warn', 'a batch was not consumed, trying again', { group, topic, partition, pauseMs, error });
    this.consumer.seek({ topic, partition, offset: String(offset) });
    payload.pause();
    const timer = setTimeout(() => {
      this.resuming.delete(timer);
      // A consumer that has restarted meanwhile has no paused partitions, and none to resume while it joins.
      if (this.consumer.paused().length > 0) this.consumer.resume([{ topic, partitions: [partition] }]);
    }, pauseMs);
    this.resuming.add(timer);
  }
}

function commit({ batch, commitOffsetsIfNecessary }: EachBatchPayload, offset: number): Promise<void> {
  const { topic, partition } = batch;
  return commitOffsetsIfNecessary({
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  });
}

function recordOf(partition: number, message: KafkaMessage): BusRecord {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers[name] = first.toString();
  }
  return {
    partition,
    offset: Number(message.offset),
    // No text of PostgreSQL holds NUL. The headers keep theirs, so that such a record differs from its own
    // `ce_partitionkey` and is set aside.
    key: message.key?.toString().replaceAll('\u0000', '\ufffd') ?? '',
    headers,
    value: message.value ?? Buffer.alloc(0),
  };
}
