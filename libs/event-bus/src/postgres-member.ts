import type { Database } from '@writ/event-store';
import { BATCH_RECORDS_MAX, type BusRecord } from './bus.js';
import { DatabaseSession } from './database-session.js';
import type { MemberSession, TopicPartition } from './member-session.js';

const BATCH_BYTES_MAX = 8 * 1024 * 1024;

/**
 * A member's session on PostgreSQL. Every member holds the group's lock in shared mode, so the server counts
 * the living; a partition is held by an exclusive lock. Both end with the connection, whatever ended it.
 */
export class PostgresMemberSession implements MemberSession {
  private constructor(
    private readonly database: Database,
    private readonly session: DatabaseSession,
    private readonly group: string,
  ) {}

  static async open(
    database: Database,
    group: string,
    channel: string,
    heard: (payload: string) => void,
  ): Promise<PostgresMemberSession> {
    const session = await DatabaseSession.open(database);
    try {
      await session.query('select pg_advisory_lock_shared(hashtextextended($1, 0))', [memberLock(group)]);
      await session.listen(channel, heard);
    } catch (error) {
      session.close();
      throw error;
    }
    return new PostgresMemberSession(database, session, group);
  }

  async members(): Promise<number> {
    // pg_locks shows the two halves of a 64-bit advisory key as classid and objid, with objsubid 1.
    const [row] = await this.session.query<{ members: number }>(
      `select count(*)::int as members from pg_locks
        where locktype = 'advisory' and mode = 'ShareLock' and granted and objsubid = 1
          and database = (select oid from pg_database where datname = current_database())
          and (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)`,
      [memberLock(this.group)],
    );
    return row?.members ?? 1;
  }

  async claim(candidates: readonly TopicPartition[]): Promise<TopicPartition[]> {
    return this.session.query<TopicPartition>(
      `select topic, partition from unnest($1::text[], $2::int[]) as u(topic, partition)
        where pg_try_advisory_lock(hashtextextended($3 || topic || '/' || partition, 0))`,
      [
        candidates.map(({ topic }) => topic),
        candidates.map(({ partition }) => partition),
        partitionLock(this.group),
      ],
    );
  }

  async release({ topic, partition }: TopicPartition): Promise<void> {
    await this.session.query('select pg_advisory_unlock(hashtextextended($1, 0))', [
      `${partitionLock(this.group)}${topic}/${partition}`,
    ]);
  }

  async offsetOf({ topic, partition }: TopicPartition): Promise<number> {
    const [row] = await this.session.query<{ off: string }>(
      'select off from bus.grp where grp = $1 and topic = $2 and part = $3',
      [this.group, topic, partition],
    );
    return Number(row?.off ?? 0);
  }

  /** Through the session, so that a member whose lock is gone cannot move its successor's position. */
  async advance({ topic, partition }: TopicPartition, offset: number): Promise<void> {
    await this.session.query(
      `insert into bus.grp (grp, topic, part, off) values ($1, $2, $3, $4)
       on conflict (grp, topic, part) do update set off = excluded.off`,
      [this.group, topic, partition, offset],
    );
  }

  async behind(held: readonly (TopicPartition & { offset: number })[]): Promise<TopicPartition[]> {
    return this.session.query<TopicPartition>(
      `select h.topic, h.part as partition
         from unnest($1::text[], $2::int[], $3::bigint[]) as u(topic, part, off)
         join bus.head h using (topic, part) where h.off > u.off`,
      [
        held.map(({ topic }) => topic),
        held.map(({ partition }) => partition),
        held.map(({ offset }) => offset),
      ],
    );
  }

  async read({ topic, partition }: TopicPartition, offset: number): Promise<BusRecord[]> {
    const { rows } = await this.database.query<{
      off: string;
      key: string;
      headers: Record<string, string>;
      value: Buffer;
    }>(
      `select off, key, headers, value
         from (select off, key, headers, value, bytes, sum(bytes) over (order by off) as upto
                 from bus.log where topic = $1 and part = $2 and off >= $3 order by off limit $4) as l
        where upto - bytes < $5 order by off`,
      [topic, partition, offset, BATCH_RECORDS_MAX, BATCH_BYTES_MAX],
    );
    return rows.map(({ off, key, headers, value }) => ({
      partition,
      offset: Number(off),
      key,
      headers,
      value,
    }));
  }

  async close(): Promise<void> {
    this.session.close();
  }
}

function memberLock(group: string): string {
  return `writ-bus/member/${group}`;
}

/** Group names hold no NUL or slash pair that could make two names meet: the topic pattern has no slash. */
function partitionLock(group: string): string {
  return `writ-bus/partition/${group}/`;
}
