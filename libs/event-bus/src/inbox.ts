import type { Database, Tx } from '@writ/event-store';

/** How far a group has come with one source. */
export interface SourcePosition {
  /** Every fact from 1 to this one was received. */
  readonly completeTo: number;
  /** The highest fact that was received. */
  readonly highest: number;
  /** Unbroken runs of received facts: 1 when nothing is missing in between. */
  readonly ranges: number;
}

/** What the group knows of one partition, as of now and until the transaction ends. */
export interface OpenInbox {
  /** The next offset to consume. */
  readonly offset: number;
  /** Of the positions asked for, those received before. */
  readonly seen: ReadonlySet<number>;
  readonly parkedKeys: ReadonlySet<string>;
  /** Bytes of the two parts of the set of received positions. */
  readonly gotBytes: number;
  readonly recentBytes: number;
}

/** Below this, `got` is cheap to write each time. */
const GOT_BYTES_CHEAP = 8 * 1024;
const RECENT_BYTES_MAX = 128 * 1024;
const RECENT_POSITIONS_MIN = 500;

/**
 * The tables of all consumers of one service, in the schema of its views. The positions received of a source
 * are `got + recent`. While a group catches up, partitions interleave and the set falls into tens of
 * thousands of ranges, which takes 25 ms to write each time; so new ones go to `recent` and move to `got` now
 * and then.
 */
const inboxTables = (views: string) => `
create table if not exists ${views}.inbox_offset (
  grp text not null, source text not null, part int not null, off bigint not null,
  primary key (grp, source, part)) with (fillfactor = 50);
create table if not exists ${views}.inbox_received (
  grp text not null, source text not null,
  got int8multirange not null default '{}', recent int8multirange not null default '{}',
  primary key (grp, source)) with (fillfactor = 50);
-- Compressing takes longer than writing.
alter table ${views}.inbox_received alter column got set storage external, alter column recent set storage external;
create table if not exists ${views}.parked_key (
  grp text not null, source text not null, key text not null, at timestamptz not null default now(),
  primary key (grp, source, key));
create table if not exists ${views}.dlq (
  id bigint generated always as identity primary key,
  grp text not null, source text not null, topic text not null, part int not null, off bigint not null,
  key text not null, pos bigint, headers json not null, value bytea not null,
  reason text not null check (reason in ('undecodable', 'failed', 'behind')), detail text not null,
  at timestamptz not null default now(), redriven_at timestamptz);
create unique index if not exists dlq_record on ${views}.dlq (grp, topic, part, off, sha256(value));
create index if not exists dlq_waiting on ${views}.dlq (grp, source, key, id) where redriven_at is null;
`;

/**
 * What a group of consumers has received: the exact set of positions of each source, and an offset for each
 * partition. Kept in the transaction of the effect, which is what makes it happen once.
 */
export class Inbox {
  constructor(
    private readonly views: string,
    private readonly group: string,
  ) {}

  async prepare(database: Database, sources: readonly string[]): Promise<void> {
    await database.transaction(async (tx) => {
      await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`writ-inbox/${this.views}`]);
      await tx.query(inboxTables(this.views));
      await tx.query(
        `insert into ${this.views}.inbox_received (grp, source) select $1, unnest($2::text[]) on conflict do nothing`,
        [this.group, sources],
      );
    });
  }

  /**
   * Holds the source for this transaction, against another replica and against a zombie that still has our
   * partition.
   */
  async lock(tx: Tx, source: string): Promise<void> {
    const { rowCount } = await tx.query(
      `select from ${this.views}.inbox_received where grp = $1 and source = $2 for update`,
      [this.group, source],
      `${this.views}.inbox-lock`,
    );
    if (rowCount !== 1) throw new Error(`group \`${this.group}\` was not prepared for \`${source}\``);
  }

  async open(tx: Tx, source: string, partition: number, positions: readonly number[]): Promise<OpenInbox> {
    // Two statements, sent together: the second must see what was committed while the first one waited.
    const locked = this.lock(tx, source);
    const asked = tx.query<{
      off: string | null;
      seen: string;
      got_bytes: number;
      recent_bytes: number;
      parked: string[];
    }>(
      `select (select off from ${this.views}.inbox_offset where grp = $1 and source = $2 and part = $3) as off,
              (got * $4::int8multirange)::text || (recent * $4::int8multirange)::text as seen,
              pg_column_size(got) as got_bytes, pg_column_size(recent) as recent_bytes,
              array(select key from ${this.views}.parked_key where grp = $1 and source = $2) as parked
         from ${this.views}.inbox_received where grp = $1 and source = $2`,
      [this.group, source, partition, multirange(positions)],
      `${this.views}.inbox-open`,
    );
    const [, { rows }] = await Promise.all([locked, asked]);
    const [row] = rows;
    return {
      offset: Number(row?.off ?? 0),
      seen: members(row?.seen ?? '{}'),
      parkedKeys: new Set(row?.parked ?? []),
      gotBytes: row?.got_bytes ?? 0,
      recentBytes: row?.recent_bytes ?? 0,
    };
  }

  /** Moves the inbox on, in the transaction that `open` was called in. */
  async close(
    tx: Tx,
    source: string,
    partition: number,
    opened: OpenInbox,
    done: { positions: readonly number[]; offset: number },
  ): Promise<void> {
    const merge =
      opened.gotBytes < GOT_BYTES_CHEAP ||
      opened.recentBytes > RECENT_BYTES_MAX ||
      done.positions.length < RECENT_POSITIONS_MIN;
    const received = merge
      ? "got = got + (recent + $5::int8multirange), recent = '{}'"
      : 'recent = recent + $5::int8multirange';
    await tx.query(
      `with moved as (
         insert into ${this.views}.inbox_offset as o (grp, source, part, off) values ($1, $2, $3, $4)
         on conflict (grp, source, part) do update set off = greatest(o.off, excluded.off))
       update ${this.views}.inbox_received set ${received} where grp = $1 and source = $2`,
      [this.group, source, partition, done.offset, multirange(done.positions)],
      `${this.views}.inbox-close-${merge ? 'merge' : 'recent'}`,
    );
  }

  async positions(database: Database): Promise<Map<string, SourcePosition>> {
    const { rows } = await database.query<{
      source: string;
      complete_to: string;
      highest: string;
      ranges: number;
    }>(
      `select source, coalesce((select upper(r) - 1 from unnest(held) r where lower(r) = 1), 0) as complete_to,
              coalesce(upper(held) - 1, 0) as highest, (select count(*)::int from unnest(held)) as ranges
         from (select source, got + recent as held from ${this.views}.inbox_received where grp = $1) as r`,
      [this.group],
    );
    return new Map(
      rows.map((row) => [
        row.source,
        { completeTo: Number(row.complete_to), highest: Number(row.highest), ranges: row.ranges },
      ]),
    );
  }
}

/** `{[1,4),[7,8)}` for 1, 2, 3 and 7. */
function multirange(positions: readonly number[]): string {
  const sorted = Float64Array.from(positions).sort();
  const ranges: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    const from = sorted[at] as number;
    let upTo = from + 1;
    while (at < sorted.length && (sorted[at] as number) <= upTo) {
      upTo = Math.max(upTo, (sorted[at] as number) + 1);
      at += 1;
    }
    ranges.push(`[${from},${upTo})`);
  }
  return `{${ranges.join(',')}}`;
}

function members(ranges: string): Set<number> {
  const found = new Set<number>();
  for (const [, from, upTo] of ranges.matchAll(/\[(\d+),(\d+)\)/g))
    for (let pos = Number(from); pos < Number(upTo); pos += 1) found.add(pos);
  return found;
}
