import { schemasOf } from '@writ/event-store';
import { FACTS_PARTITIONS, factsTopic } from './cloud-event.js';
import type { DatabaseSession } from './database-session.js';
import { partitionOf } from './murmur2.js';
import { BATCH_FACTS, type Published, type PublishedService, type Publishing } from './publishing.js';
import { CURSOR, type Cursor, type CursorRow, cursorOf, deposed } from './relay-cursor.js';
import { traceBatch } from './tracing.js';

/** What one statement copies at most; a single fact may have more. */
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;
/** A batch is one statement, which is made over and over: with one plan for all of them. */
const ONE_PLAN = 'set plan_cache_mode = force_generic_plan';
const KEYS_MAX = 10_000;

interface Next {
  readonly up_to: string | null;
  readonly keys: readonly string[] | null;
}

/**
 * Copies facts to the log of the PostgreSQL carrier where both are in one database: their bytes do not leave it. The
 * copy and the move of the cursor are one statement, so a deposed relay leaves nothing behind.
 */
export class FactCopy implements Publishing {
  private readonly schema: string;
  private readonly topic: string;
  private readonly sql: string;
  /** Of a key, as `partitionOf` reckons it; keys come again and again. */
  private readonly partitions = new Map<string, number>();
  private prepared: DatabaseSession | undefined;

  constructor(
    private readonly of: PublishedService,
    /** Told after each commit which partitions have new records. */
    private readonly copied: (partitions: readonly number[]) => void,
  ) {
    this.schema = schemasOf(of.service).facts;
    this.topic = factsTopic(of.service);
    this.sql = copySql(this.schema, of);
  }

  async next(session: DatabaseSession, cursor: Cursor): Promise<Published | undefined> {
    if (this.prepared !== session) await session.query(ONE_PLAN);
    this.prepared = session;
    const [next] = await session.query<Next>(
      `select max(pos) as up_to, json_agg(distinct part_key) as keys
         from (select pos, part_key, sum(octet_length(data)) over (order by pos) - octet_length(data) as before
                 from ${this.schema}.event where pos > $1 order by pos limit $2) as e
        where before < $3`,
      [cursor.pos, BATCH_FACTS, STATEMENT_BYTES_MAX],
      'relay.next',
    );
    if (next?.up_to == null) return undefined;
    const upTo = Number(next.up_to);
    const count = upTo - cursor.pos;
    const moved = await traceBatch(
      'publish',
      this.topic,
      { count, read: () => this.traced(session, cursor.pos, upTo) },
      () => this.copy(session, cursor, upTo, next.keys ?? []),
    );
    return { cursor: moved, isFull: count === BATCH_FACTS };
  }

  private async copy(
    session: DatabaseSession,
    cursor: Cursor,
    upTo: number,
    keys: readonly string[],
  ): Promise<Cursor> {
    const parts = keys.map((key) => this.partitionOf(key));
    const touched = [...new Set(parts)];
    const [row] = await session.query<CursorRow>(
      this.sql,
      [CURSOR, cursor.epoch, cursor.pos, upTo, this.topic, keys, parts],
      'relay.copy',
    );
    if (row === undefined) throw deposed(this.of.service, cursor);
    this.copied(touched);
    return cursorOf(row);
  }

  private partitionOf(key: string): number {
    const known = this.partitions.get(key);
    if (known !== undefined) return known;
    if (this.partitions.size >= KEYS_MAX) this.partitions.clear();
    const partition = partitionOf(key, FACTS_PARTITIONS);
    this.partitions.set(key, partition);
    return partition;
  }

  private traced(session: DatabaseSession, after: number, upTo: number) {
    return session.query<{ traceparent: string }>(
      `select coalesce(meta ->> 'traceparent', '') as traceparent from ${this.schema}.event
        where pos > $1 and pos <= $2 order by pos limit 128`,
      [after, upTo],
    );
  }
}

/**
 * Writes what `recordOf` in `cloud-event.ts` would have made of each fact; `relay.int.spec.ts` holds the two together. A
 * fact without a partition or an offset breaks a `not null` of the log, and then nothing is copied.
 */
function copySql(schema: string, { service, area }: PublishedService): string {
  return `
with moved as (
  update ${schema}.cursor set pos = $4, epoch = epoch + 1 where name = $1 and epoch = $2 returning pos, epoch
), fact as materialized (
  select e.*, k.part, row_number() over (partition by k.part order by e.pos) as nth,
    to_json('writ.${area}.v1.' || e.type) as full_type
    from moved, ${schema}.event e left join unnest($6::text[], $7::int[]) as k(key, part) on k.key = e.part_key
   where e.pos > $3 and e.pos <= $4
), base as (
  update bus.head h set off = h.off + c.facts from (select part, count(*) as facts from fact group by part) as c
   where h.topic = $5 and h.part = c.part returning h.part, h.off - c.facts as off
), record as (
  select f.part, base.off + f.nth - 1 as off, f.part_key as key, f.data as value,
    concat('{"content-type":"application/protobuf","ce_specversion":"1.0","ce_id":"', f.id,
      '","ce_source":"/writ/${service}","ce_type":', f.full_type, ',"ce_dataschema":', f.full_type,
      ',"ce_time":"', to_char(f.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      '","ce_partitionkey":', to_json(f.part_key), ',"ce_authtype":"', case
        when m.actor = 'bootstrap' then 'system'
        when starts_with(m.actor, 'psn_') then 'user'
        when starts_with(m.actor, 'agt_') or starts_with(m.actor, 'service/')
          or starts_with(m.actor, 'enforcement-point/') then 'service_account'
        else 'unknown' end,
      '","ce_authid":', to_json(m.actor), ',"cause":', to_json(m.cause), ',"callid":', to_json(m.call_id),
      ',"pos":"', f.pos, '","sv":', to_json(f.stream_id || ':' || f.version),
      ',"traceparent":' || to_json(nullif(m.traceparent, ''))::text,
      ',"tracestate":' || to_json(nullif(m.tracestate, ''))::text, '}') as headers
    from fact f left join base using (part), lateral (
      select f.meta ->> 'actor' as actor, f.meta ->> 'cause' as cause, f.meta ->> 'callId' as call_id,
        f.meta ->> 'traceparent' as traceparent, f.meta ->> 'tracestate' as tracestate offset 0) as m
), logged as (
  insert into bus.log (topic, part, off, key, headers, value, bytes)
  select $5, part, off, key, headers::json, value, octet_length(key) + octet_length(headers) + octet_length(value)
    from record order by part, off
)
select pos, epoch from moved`;
}
