import { AppendBatch } from './append-batch.js';
import type { Database } from './database.js';
import { type Beside, checkAppends, EventStore, type LongStream } from './event-store.js';
import { type Append, becameLong, type FactMeta, type StoredFact } from './fact.js';
import { schemasOf } from './names.js';
import type { QueryAnswer, Statements, Tx } from './tx.js';
import { Wakes } from './wakes.js';

interface EventRow {
  pos: string;
  id: string;
  stream_id: string;
  version: number;
  type: string;
  part_key: string;
  at: Date;
  meta: FactMeta;
  data: Buffer;
}

interface AppendRow {
  last_pos: string;
  versions: number[];
  conflict_append: number | null;
}

export interface PostgresEventStoreSettings {
  readonly database: Database;
  readonly service: string;
  readonly onLongStream?: LongStream;
}

type Querying = Pick<Statements, 'query'>;

/** The facts of one service in its PostgreSQL schema. */
export class PostgresEventStore extends EventStore {
  private readonly database: Database;
  private readonly schema: string;
  private readonly onLongStream: LongStream | undefined;
  private readonly appendSql: string;
  private readonly beginSql: string;
  private readonly wakes = new Wakes();

  constructor({ database, service, onLongStream }: PostgresEventStoreSettings) {
    super();
    this.database = database;
    this.schema = schemasOf(service).facts;
    this.onLongStream = onLongStream;
    const placeholders = Array.from({ length: AppendBatch.parameterCount }, (_, place) => `$${place + 1}`);
    const appended = `from ${this.schema}.append(${placeholders.join(', ')})`;
    this.appendSql = `select last_pos, versions, conflict_append ${appended}`;
    // Of all expressions in SQL, a division by zero is what fails: a value would not keep the commit back.
    this.beginSql = `select last_pos, 1 / (case when conflict_append is null then 1 else 0 end) ${appended}`;
  }

  async read(streamId: string, tx?: Tx): Promise<StoredFact[]> {
    const { rows } = await this.ask<EventRow>(
      tx ?? this.database,
      'read',
      `select pos, id, stream_id, version, type, part_key, at, meta, data
       from ${this.schema}.event where stream_id = $1 order by version`,
      [streamId],
    );
    return rows.map(factOfRow);
  }

  async append(
    appends: readonly Append[],
    inTx?: (tx: Tx, stored: readonly StoredFact[]) => Promise<void>,
    tx?: Tx,
  ): Promise<StoredFact[]> {
    if (appends.length === 0) return [];
    checkAppends(appends);
    if (tx) return this.appendIn(tx, appends, inTx);
    if (inTx) return this.database.transaction((own) => this.appendIn(own, appends, inTx));
    const stored = await this.write(this.database, appends, undefined);
    this.wakes.wake();
    return stored;
  }

  async appendOn(
    on: Statements,
    appends: readonly Append[],
    beside: Beside | undefined,
  ): Promise<StoredFact[]> {
    if (appends.length === 0) return [];
    checkAppends(appends);
    const stored = await this.write(on, appends, beside);
    on.afterCommit(() => this.wakes.wake());
    return stored;
  }

  begin(append: Omit<Append, 'expected'>, tx: Tx): StoredFact[] {
    const appends = [{ ...append, expected: 'none' as const }];
    checkAppends(appends);
    const batch = new AppendBatch(appends);
    let lastPos: number | undefined;
    tx.send<{ last_pos: string }>(this.beginSql, batch.parameters(), `${this.schema}.begin`, ({ rows }) => {
      lastPos = Number(rows[0]?.last_pos);
    });
    tx.afterCommit(() => this.wakes.wake());
    return batch.stored(0, [0]).map(({ pos, ...fact }) => ({
      ...fact,
      get pos() {
        if (lastPos === undefined) throw new Error('where a stream begins is known after its commit');
        return lastPos + pos;
      },
    }));
  }

  async readAfter(pos: number, limit: number): Promise<StoredFact[]> {
    const { rows } = await this.ask<EventRow>(
      this.database,
      'read-after',
      `select pos, id, stream_id, version, type, part_key, at, meta, data
       from ${this.schema}.event where pos > $1 order by pos limit $2`,
      [pos, limit],
    );
    return rows.map(factOfRow);
  }

  async head(): Promise<number> {
    const { rows } = await this.ask<{ pos: string }>(
      this.database,
      'head',
      `select pos from ${this.schema}.head`,
      [],
    );
    return Number(rows[0]?.pos);
  }

  onAppend(wake: () => void): () => void {
    return this.wakes.add(wake);
  }

  private async appendIn(
    tx: Tx,
    appends: readonly Append[],
    inTx: ((tx: Tx, stored: readonly StoredFact[]) => Promise<void>) | undefined,
  ): Promise<StoredFact[]> {
    const stored = await this.write(tx, appends, undefined);
    tx.afterCommit(() => this.wakes.wake());
    await inTx?.(tx, stored);
    return stored;
  }

  private async write(
    on: Querying,
    appends: readonly Append[],
    beside: Beside | undefined,
  ): Promise<StoredFact[]> {
    const batch = new AppendBatch(appends);
    const { rows } = await (beside === undefined
      ? this.ask<AppendRow>(on, 'append', this.appendSql, batch.parameters())
      : this.ask<AppendRow>(on, `append-beside-${beside.name}`, this.appendBesideSql(beside), [
          ...batch.parameters(),
          batch.count,
          ...beside.params,
        ]));
    const row = rows[0];
    if (!row) throw new Error('the append function answered nothing');
    if (row.conflict_append !== null) throw batch.conflict(row.conflict_append - 1, row.versions);
    const stored = batch.stored(Number(row.last_pos), row.versions);
    this.reportLongStreams(appends, stored);
    return stored;
  }

  private appendBesideSql(beside: Beside): string {
    const countAt = AppendBatch.parameterCount + 1;
    return `with answer as materialized (${this.appendSql}), fact as (
      select n as nth, last_pos - $${countAt} + n as pos from answer, generate_series(1, $${countAt}::int) as n
       where conflict_append is null
    ), beside as (${beside.sql(countAt + 1)})
    select last_pos, versions, conflict_append from answer`;
  }

  private reportLongStreams(appends: readonly Append[], stored: readonly StoredFact[]): void {
    if (!this.onLongStream) return;
    let end = 0;
    for (const { streamId, facts } of appends) {
      end += facts.length;
      const version = stored[end - 1]?.version ?? 0;
      if (becameLong(version, facts.length)) this.onLongStream(streamId, version);
    }
  }

  private ask<R>(
    on: Querying,
    name: string,
    sql: string,
    params: readonly unknown[],
  ): Promise<QueryAnswer<R>> {
    return on.query<R>(sql, params, `${this.schema}.${name}`);
  }
}

function factOfRow(row: EventRow): StoredFact {
  const { id, version, type, at, meta, data } = row;
  return {
    pos: Number(row.pos),
    id,
    streamId: row.stream_id,
    version,
    type,
    partKey: row.part_key,
    at,
    meta,
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}
