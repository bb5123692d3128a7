import { Injectable } from '@nestjs/common';
import { Database } from '@writ/event-store';
import type { LedgerRow } from './verify.js';

/** The ledger as it says it is. */
export interface LedgerState {
  readonly ledgerId: string;
  readonly size: number;
  readonly chain: Uint8Array;
}

/** What entries are looked for by; a part that is left out matches all. */
export interface EntryFilter {
  readonly subjectId?: string;
  readonly task?: string;
  readonly type?: string;
  readonly source?: string;
  readonly actor?: string;
  readonly startTime?: Date;
  readonly endTime?: Date;
}

export interface EntryPage {
  readonly rows: readonly LedgerRow[];
  /** Whether entries follow that the filter accepts. */
  readonly more: boolean;
}

interface Row {
  idx: string;
  leaf: Buffer;
  chain: Buffer;
  source: string;
  pos: string;
  event_id: string;
  type: string;
  at_ms: string;
  actor: string;
  cause: string;
  stream_id: string;
  traceparent: string;
  record: Buffer;
  payload: Buffer | null;
  salt: Buffer | null;
  subject_ids: string[];
  task: string;
}

const columns = `idx, leaf, chain, source, pos, event_id, type, extract(epoch from at) * 1000 as at_ms, actor,
  cause, stream_id, traceparent, record, payload, salt, subject_ids, task`;

/** A page of large payloads is a short one: it has to fit into memory, and into an answer. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Reads the ledger. Writing is `EntryAppend`'s. */
@Injectable()
export class EntryView {
  constructor(private readonly database: Database) {}

  async state(): Promise<LedgerState> {
    const { rows } = await this.database.query<{ ledger_id: string; size: string; chain: Buffer }>(
      'select ledger_id, size, chain from ledger.state',
    );
    const [state] = rows;
    if (state === undefined) throw new Error('the ledger has no state row');
    return { ledgerId: state.ledger_id, size: Number(state.size), chain: state.chain };
  }

  async byIndex(index: number): Promise<LedgerRow | undefined> {
    const { rows } = await this.database.query<Row>(
      `select ${columns} from ledger.entry where idx = $1`,
      [index],
      'ledger.by-index',
    );
    return rows[0] && rowOf(rows[0]);
  }

  async byPosition(source: string, pos: number): Promise<LedgerRow | undefined> {
    const { rows } = await this.database.query<Row>(
      `select ${columns} from ledger.entry where source = $1 and pos = $2 and pos > 0`,
      [source, pos],
      'ledger.by-position',
    );
    return rows[0] && rowOf(rows[0]);
  }

  /** The chain value before `index`; undefined when that entry is not there. */
  async chainBefore(index: number): Promise<Uint8Array | undefined> {
    return (await this.byIndex(index - 1))?.chain;
  }

  /**
   * At most `limit` entries in the order of their indexes; fewer where payloads are large, but at least one.
   */
  async list(
    filter: EntryFilter,
    range: { readonly from: number; readonly limit: number; readonly to?: number },
  ): Promise<EntryPage> {
    const { conditions, params } = whereOf(filter);
    const param = (value: unknown) => `$${params.push(value)}`;
    conditions.push(`idx >= ${param(range.from)}::bigint`);
    if (range.to !== undefined) conditions.push(`idx < ${param(range.to)}::bigint`);
    const { rows } = await this.database.query<Row & { found: string }>(
      `select ${columns}, found from (
         select e.*, count(*) over () as found,
           sum(coalesce(octet_length(payload), 0)) over (order by idx)
             - coalesce(octet_length(payload), 0) as bytes_before
         from (select * from ledger.entry where ${conditions.join(' and ')} order by idx
               limit ${param(range.limit + 1)}::int) e) p
        where bytes_before < ${PAGE_BYTES_MAX} order by idx limit ${param(range.limit)}::int`,
      params,
    );
    return { rows: rows.map(rowOf), more: Number(rows[0]?.found ?? 0) > rows.length };
  }

  /** Entries `from` to `to - 1`, in pages; for those who read all of it. */
  async *pages(from: number, to: number, limit = 1_000): AsyncGenerator<readonly LedgerRow[], void> {
    for (let next = from; next < to; ) {
      const { rows } = await this.list({}, { from: next, to, limit });
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows;
      next = last.index + 1;
    }
  }
}

function whereOf(filter: EntryFilter): { conditions: string[]; params: unknown[] } {
  const conditions: string[] = [];
  const params: unknown[] = [];
  const param = (value: unknown) => `$${params.push(value)}`;
  const terms: string[] = [];
  if (filter.subjectId !== undefined) terms.push(`${param(filter.subjectId)}::text`);
  if (filter.type !== undefined) terms.push(`'type:' || ${param(filter.type)}::text`);
  for (const column of ['actor', 'task'] as const) {
    const value = filter[column];
    if (value === undefined) continue;
    const place = `${param(value)}::text`;
    terms.push(`'${column}:' || left(${place}, 200)`);
    conditions.push(`${column} = ${place}`);
  }
  if (terms.length > 0)
    conditions.push(`ledger.terms(subject_ids, type, actor, task) @> array[${terms.join(', ')}]`);
  if (filter.source !== undefined) conditions.push(`source = ${param(filter.source)}`);
  if (filter.startTime !== undefined) conditions.push(`at >= ${param(filter.startTime)}`);
  if (filter.endTime !== undefined) conditions.push(`at < ${param(filter.endTime)}`);
  return { conditions, params };
}

function rowOf(row: Row): LedgerRow {
  return {
    index: Number(row.idx),
    leaf: row.leaf,
    chain: row.chain,
    source: row.source,
    pos: Number(row.pos),
    eventId: row.event_id,
    type: row.type,
    atMs: Number(row.at_ms),
    actor: row.actor,
    cause: row.cause,
    streamId: row.stream_id,
    traceparent: row.traceparent,
    record: row.record,
    payload: row.payload ?? undefined,
    salt: row.salt ?? undefined,
    subjectIds: row.subject_ids,
    task: row.task,
  };
}
