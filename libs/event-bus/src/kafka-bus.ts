import type { ConnectionOptions } from 'node:tls';
import {
  type Admin,
  type KafkaConfig,
  logLevel,
  Partitioners,
  type Producer,
  type SASLOptions,
} from 'kafkajs';
import { Alarm, Backoff } from './backoff.js';
import {
  Bus,
  type BusLog,
  type OutgoingRecord,
  RECORD_BYTES_MAX,
  recordBytes,
  type SubscribeOptions,
  type Subscription,
  type TopicSpec,
} from './bus.js';
import { KafkaMember } from './kafka-member.js';
import { Kafka, logCreatorFor } from './kafkajs-guard.js';

export interface KafkaBusOptions {
  /** `host:port` of some brokers of the cluster. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Copies of each topic this bus makes: 3 in production, 1 on a single broker. */
  readonly replicationFactor: number;
  readonly tls?: ConnectionOptions;
  readonly sasl?: SASLOptions;
  readonly log: BusLog;
  /** A consumer has stopped for good. The process MUST exit: nothing is read any more. */
  onFatal(error: Error): void;
  /**
   * How long a subscription may go without an answer to a fetch and still be healthy; 60 000 when left out.
   */
  readonly fetchSilenceMsMax?: number;
}

/** The broker's limit for one batch of records, which every record of legal size fits into. */
const BATCH_BYTES_MAX = 2 * RECORD_BYTES_MAX;
/** What a record takes beside its key, headers and value, generously. */
const RECORD_OVERHEAD_BYTES = 256;
const ACK_TIMEOUT_MS = 10_000;
const WARM_UP_MS = 60_000;

/** The bus on Apache Kafka, by kafkajs 2.2.4 with its known defects fenced off. */
export class KafkaBus extends Bus {
  private readonly config: KafkaConfig;
  private readonly members = new Set<KafkaMember>();
  private connecting: Promise<{ producer: Producer; admin: Admin }> | undefined;

  constructor(private readonly options: KafkaBusOptions) {
    super();
    this.config = {
      brokers: [...options.brokers],
      clientId: options.clientId,
      ssl: options.tls,
      sasl: options.sasl,
      connectionTimeout: 3_000,
      requestTimeout: ACK_TIMEOUT_MS + 5_000,
      logCreator: logCreatorFor(options.log),
    };
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    for (const topic of options.topics) this.partitionsOf(topic);
    await this.warmUp(options.group, options.topics);
    const { log, onFatal, fetchSilenceMsMax = 60_000 } = this.options;
    const member = new KafkaMember({
      ...options,
      kafka: new Kafka(this.config),
      log,
      onFatal: (error) => onFatal(error),
      fetchSilenceMsMax,
    });
    await member.start();
    this.members.add(member);
    return {
      healthy: () => member.healthy(),
      stop: async () => {
        this.members.delete(member);
        await member.stop();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.members].map((member) => member.stop()));
    this.members.clear();
    const connecting = this.connecting;
    this.connecting = undefined;
    if (connecting === undefined) return;
    const { producer, admin } = await connecting;
    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }

  protected async createTopics(specs: readonly TopicSpec[]): Promise<ReadonlyMap<string, number>> {
    const { admin } = await this.connection();
    const existing = new Set(await admin.listTopics());
    const missing = specs.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0)
      // Resolves to false when another process was first, which is as good.
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((spec) => this.topicConfig(spec)),
      });
    const names = specs.map(({ topic }) => topic);
    // Whoever was first waits for its leaders; we, who were not, meet a topic that this broker may not know of yet.
    const { topics } = await untilAnswered(() => admin.fetchTopicMetadata({ topics: names }));
    return new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  /**
   * One partition for each request: kafkajs answers a request over several partitions although some were
   * never produced (tulios/kafkajs#1798), and its idempotent mode acknowledges records it dropped. Duplicates
   * are the consumer's to drop.
   */
  protected async send(topic: string, partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    const { producer } = await this.connection();
    for (const chunk of chunks(records)) {
      const messages = chunk.map(({ key, headers, value }) => ({
        partition,
        key,
        headers: { ...headers },
        value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      }));
      let answer: Awaited<ReturnType<Producer['send']>>;
      try {
        answer = await producer.send({ topic, acks: -1, timeout: ACK_TIMEOUT_MS, messages });
      } catch (error) {
        throw new Error(`publishing to \`${topic}\` partition ${partition} failed`, { cause: error });
      }
      const [held, ...more] = answer;
      if (
        more.length > 0 ||
        held?.topicName !== topic ||
        held.partition !== partition ||
        held.errorCode !== 0 ||
        !/^\d+$/.test(held.baseOffset ?? '')
      )
        throw new Error(`the broker did not confirm \`${topic}\` partition ${partition}`);
    }
  }

  private topicConfig({ topic, partitions, retentionMs }: TopicSpec) {
    const { replicationFactor } = this.options;
    const configEntries = [
      { name: 'max.message.bytes', value: String(BATCH_BYTES_MAX) },
      { name: 'min.insync.replicas', value: replicationFactor >= 3 ? '2' : '1' },
      { name: 'unclean.leader.election.enable', value: 'false' },
    ];
    if (retentionMs !== undefined) configEntries.push({ name: 'retention.ms', value: String(retentionMs) });
    return { topic, numPartitions: partitions, replicationFactor, configEntries };
  }

  private connection(): Promise<{ producer: Producer; admin: Admin }> {
    this.connecting ??= this.connect().catch((error: unknown) => {
      this.connecting = undefined;
      throw new Error(`no Kafka broker answered at ${this.options.brokers.join(', ')}`, { cause: error });
    });
    return this.connecting;
  }

  private async connect(): Promise<{ producer: Producer; admin: Admin }> {
    const kafka = new Kafka(this.config);
    const producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: false,
      maxInFlightRequests: 1,
      // The patience is the relay's: it sends the whole batch again.
      retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 },
    });
    const admin = kafka.admin({
      retry: { retries: 5, initialRetryTime: 200, maxRetryTime: 2_000, factor: 0.2, multiplier: 2 },
    });
    try {
      await producer.connect();
      await admin.connect();
    } catch (error) {
      // The relay asks again every few seconds, with new ones.
      await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
      throw error;
    }
    return { producer, admin };
  }

  /**
   * A broker makes its coordinators when first asked and refuses meanwhile, which crashes a kafkajs consumer.
   * So ask until it answers, out of the log.
   */
  private async warmUp(group: string, topics: readonly string[]): Promise<void> {
    const admin = new Kafka({ ...this.config, logLevel: logLevel.NOTHING }).admin();
    try {
      await admin.connect();
      await untilAnswered(() => admin.fetchOffsets({ groupId: group, topics: [...topics] }));
    } catch (error) {
      throw new Error(`no coordinator for group \`${group}\``, { cause: error });
    } finally {
      await admin.disconnect();
    }
  }
}

/** Asks again for up to a minute, more and more seldom; then the last refusal stands. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAtMs = performance.now() + WARM_UP_MS;
  const backoff = new Backoff(50, 1_000);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > giveUpAtMs) throw error;
      await new Alarm().wait(backoff.nextMs());
    }
  }
}

/** Keeps order and stays under the broker's limit for one batch. */
function* chunks(records: readonly OutgoingRecord[]): Generator<OutgoingRecord[]> {
  let chunk: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const more = recordBytes(record) + RECORD_OVERHEAD_BYTES;
    if (chunk.length > 0 && bytes + more > BATCH_BYTES_MAX) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += more;
  }
  if (chunk.length > 0) yield chunk;
}
