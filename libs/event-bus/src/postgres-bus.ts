import type { Database } from '@writ/event-store';
import {
  Bus,
  type BusLog,
  type OutgoingRecord,
  recordBytes,
  type SubscribeOptions,
  type Subscription,
  type TopicSpec,
} from './bus.js';
import { factsTopic } from './cloud-event.js';
import { FactCopy } from './fact-copy.js';
import { Member } from './member.js';
import { PostgresMemberSession } from './postgres-member.js';
import type { PublishedService, Publishing } from './publishing.js';
import { wakeHub } from './wake-hub.js';

/** The channel other processes are woken on. NOTIFY is a hint: whoever misses it polls. */
export const WAKE_CHANNEL = 'writ_bus';
const NOTIFY_EVERY_MS = 50;
const STATEMENT_RECORDS_MAX = 1000;
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The bus on a PostgreSQL database that `migrateBus` has prepared. Each subscription keeps one connection of
 * `database.pool` to itself; publications and reads share the rest.
 */
export class PostgresBus extends Bus {
  private readonly subscriptions = new Set<Member>();
  private readonly heard = new Set<(topic: string, partition?: number) => void>();
  private readonly unannounced = new Set<string>();
  private announcing: NodeJS.Timeout | undefined;
  private databaseId: Promise<string> | undefined;

  constructor(
    private readonly database: Database,
    private readonly log: BusLog,
  ) {
    super();
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const partitions = options.topics.flatMap((topic) =>
      Array.from({ length: this.partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
    );
    const databaseId = await this.identity();
    const member = new Member({
      ...options,
      partitions,
      log: this.log,
      open: () =>
        PostgresMemberSession.open(this.database, options.group, WAKE_CHANNEL, (payload) => {
          for (const topic of payload.split(' ')) for (const wake of this.heard) wake(topic);
        }),
      listen: (wake) => {
        const heard = (topic: string, partition?: number) => {
          if (options.topics.includes(topic)) wake(topic, partition);
        };
        const unlisten = wakeHub.listen(databaseId, heard);
        this.heard.add(heard);
        return () => {
          unlisten();
          this.heard.delete(heard);
        };
      },
    });
    await member.start();
    this.subscriptions.add(member);
    return {
      healthy: () => member.healthy(),
      stop: async () => {
        this.subscriptions.delete(member);
        await member.stop();
      },
    };
  }

  override async copying(of: PublishedService, facts: Database): Promise<Publishing | undefined> {
    const { rows } = await facts.query<{ here: boolean }>(
      `select to_regclass('bus.identity') is not null as here`,
    );
    const databaseId = await this.identity();
    if (rows[0]?.here !== true || (await identityOf(facts)) !== databaseId) return undefined;
    const topic = factsTopic(of.service);
    return new FactCopy(of, (partitions) => {
      for (const partition of partitions) wakeHub.wake(databaseId, topic, partition);
      this.announce(topic);
    });
  }

  /** The database stays open: it belongs to whoever made it. */
  async close(): Promise<void> {
    clearTimeout(this.announcing);
    await Promise.all([...this.subscriptions].map((subscription) => subscription.stop()));
    this.subscriptions.clear();
  }

  protected async createTopics(specs: readonly TopicSpec[]): Promise<ReadonlyMap<string, number>> {
    const names = specs.map(({ topic }) => topic);
    return this.database.transaction(async (tx) => {
      const counts = specs.map(({ partitions }) => partitions);
      await tx.query(
        `insert into bus.topic (topic, partitions)
         select t, p from unnest($1::text[], $2::int[]) as u(t, p) order by t on conflict do nothing`,
        [names, counts],
      );
      await tx.query(
        `insert into bus.head (topic, part)
         select topic, part from bus.topic, generate_series(0, partitions - 1) as part
          where topic = any($1::text[]) order by topic, part on conflict do nothing`,
        [names],
      );
      const { rows } = await tx.query<{ topic: string; partitions: number }>(
        'select topic, partitions from bus.topic where topic = any($1::text[])',
        [names],
      );
      return new Map(rows.map((row) => [row.topic, row.partitions]));
    });
  }

  protected async send(topic: string, partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    for (const chunk of chunks(records)) {
      try {
        await this.database.query('select bus.publish($1, $2, $3::text[], $4::text[], $5::bytea[])', [
          topic,
          partition,
          chunk.map(({ key }) => key),
          chunk.map(({ headers }) => JSON.stringify(headers)),
          chunk.map(({ value }) => Buffer.from(value.buffer, value.byteOffset, value.byteLength)),
        ]);
      } catch (error) {
        throw new Error(`publishing to \`${topic}\` partition ${partition} failed`, { cause: error });
      }
    }
    wakeHub.wake(await this.identity(), topic, partition);
    this.announce(topic);
  }

  /**
   * Wakes other processes, at most 20 times a second and in a statement of its own: a transaction that
   * notifies takes a lock on the whole cluster at commit, which would queue every publication behind the
   * others.
   */
  private announce(topic: string): void {
    this.unannounced.add(topic);
    this.announcing ??= setTimeout(() => {
      const topics = [...this.unannounced].join(' ');
      this.unannounced.clear();
      this.announcing = undefined;
      this.database
        .query('select pg_notify($1, $2)', [WAKE_CHANNEL, topics])
        .catch((error: unknown) => this.log('warn', 'waking other processes failed, they poll', { error }));
    }, NOTIFY_EVERY_MS).unref();
  }

  private identity(): Promise<string> {
    this.databaseId ??= identityOf(this.database).catch((error: unknown) => {
      this.databaseId = undefined;
      throw error;
    });
    return this.databaseId;
  }
}

async function identityOf(database: Database): Promise<string> {
  const { rows } = await database.query<{ id: string }>('select id::text as id from bus.identity');
  return rows[0]?.id ?? '';
}

/** Keeps order; bounds what one statement carries. */
function* chunks(records: readonly OutgoingRecord[]): Generator<OutgoingRecord[]> {
  let chunk: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const more = recordBytes(record);
    if (chunk.length === STATEMENT_RECORDS_MAX || (chunk.length > 0 && bytes + more > STATEMENT_BYTES_MAX)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += more;
  }
  if (chunk.length > 0) yield chunk;
}
