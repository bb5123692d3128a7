import { Injectable } from '@nestjs/common';
import type { ConsumedFact } from '@writ/event-bus';
import { Database, makeTables, schemasOf, type Tx, Wakes } from '@writ/event-store';
import { knowledgeSources } from './knowledge.facts.js';
import { endedMsKept, mayForget, type Retention } from './retention.js';

const { facts: factSchema, views: viewSchema } = schemasOf('policy-engine');

/** Names the consumer; a copy that must be filled anew gets another. */
export const KNOWLEDGE_GROUP = 'policy-engine.knowledge';

/** One fact of the stored copy. */
export interface KnownRow {
  readonly source: string;
  readonly type: string;
  readonly at: Date;
  readonly data: Uint8Array;
}

/** How far a reader has come with each source: the number of the last batch it has seen. */
export type BatchNumbers = Readonly<Record<string, number>>;

/** Unbroken runs of positions, both ends included. */
export type Runs = readonly (readonly [from: number, upTo: number])[];

export interface StoredKnowledge {
  readonly rows: readonly KnownRow[];
  readonly received: Readonly<Record<string, Runs>>;
  readonly batches: BatchNumbers;
}

export interface KnowledgeStatus {
  readonly batches: BatchNumbers;
  /** Keys of which a fact was set aside. */
  readonly unreadable: readonly string[];
  /** The newest position of this service's own facts. */
  readonly ownHead: number;
  /** 0 when no policy set was applied. */
  readonly policySetVersion: number;
}

/**
 * The stored copy of the facts that decisions are made from. One replica consumes a fact and writes it here; all of them
 * read it. Batches of one source are numbered in the order of their commits, because the consumer holds the source
 * while it writes; between sources there is no such order, so a reader counts each source apart.
 */
@Injectable()
export class KnowledgeStore {
  readonly #wakes = new Wakes();

  constructor(private readonly database: Database) {}

  /** Calls `wake` in this process right after facts were added. Answers how to stop. */
  onAdd(wake: () => void): () => void {
    return this.#wakes.add(wake);
  }

  /** Makes the tables. Before the first fact is consumed; safe in several processes at once. */
  async prepare(): Promise<void> {
    await makeTables({ database: this.database, schema: viewSchema, sql: tables });
  }

  /** Adds one batch of one source, in order. `known` says of which facts the bytes are kept. */
  async add(
    tx: Tx,
    facts: readonly ConsumedFact[],
    known: readonly { readonly fact: ConsumedFact; readonly retention: Retention }[],
    now: Date,
  ): Promise<void> {
    tx.afterCommit(() => this.#wakes.wake());
    const positions = `{${facts.map(({ pos }) => `[${pos},${pos}]`).join(',')}}`;
    const { rows } = await tx.query<{ seq: string }>(
      `insert into ${viewSchema}.known_batch (source, positions, at) values ($1, $2, $3) returning seq`,
      [facts[0]?.source, positions, now],
      'knowledge.batch',
    );
    if (known.length === 0) return;
    await tx.query(
      `insert into ${viewSchema}.known (batch, source, pos, type, subject, at, data, forget_at)
       select $1, f.* from unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::timestamptz[])
         as f (source, pos, type, subject, at, data, forget_at)
       on conflict (source, pos) do nothing`,
      [
        rows[0]?.seq,
        known.map(({ fact }) => fact.source),
        known.map(({ fact }) => fact.pos),
        known.map(({ fact }) => fact.type),
        known.map(({ retention }) => retention.subject),
        known.map(({ fact }) => fact.at),
        known.map(({ fact }) => Buffer.from(fact.data)),
        known.map(({ retention }) => (retention.endsAt && mayForget(retention.endsAt)) ?? null),
      ],
      'knowledge.add',
    );
    await this.#shorten(
      tx,
      known.map(({ retention, fact }) => ({ ...retention, type: fact.type })),
      now,
    );
  }

  /** What of a subject need not be kept for ever, now that these facts are known. */
  async #shorten(
    tx: Tx,
    known: readonly (Retention & { readonly type: string })[],
    now: Date,
  ): Promise<void> {
    const over = known.filter(({ ends }) => ends).map(({ subject }) => subject);
    if (over.length > 0)
      await tx.query(
        `update ${viewSchema}.known set forget_at = least(forget_at, $2) where subject = any($1)`,
        [over, mayForget(now)],
        'knowledge.over',
      );
    const hops = known.filter(({ subject }) => subject.startsWith('hop:'));
    if (hops.length > 0)
      await tx.query(
        `update ${viewSchema}.known k set forget_at = s.until
         from (select subject, max(forget_at) as until from ${viewSchema}.known where subject = any($1) group by subject) s
         where k.subject = s.subject and k.forget_at is null`,
        [hops.map(({ subject }) => subject)],
        'knowledge.hops',
      );
    const renewed = known.filter(({ newestOnly }) => newestOnly);
    if (renewed.length > 0)
      await tx.query(
        `delete from ${viewSchema}.known older using ${viewSchema}.known newer
         where older.subject = any($1) and older.type = any($2) and newer.subject = older.subject
           and newer.type = older.type and newer.source = older.source and newer.pos > older.pos`,
        [renewed.map(({ subject }) => subject), [...new Set(renewed.map(({ type }) => type))]],
        'knowledge.renewed',
      );
  }

  async status(): Promise<KnowledgeStatus> {
    const { rows } = await this.database.query<{
      newest: (string | null)[];
      unreadable: string[];
      own_head: string;
      policy_set_version: number;
    }>(
      `select array(select (select max(seq) from ${viewSchema}.known_batch b where b.source = s.source)
                    from unnest($1::text[]) with ordinality s(source, place) order by place) as newest,
              array(select key from ${viewSchema}.parked_key where grp = $2) as unreadable,
              (select pos from ${factSchema}.head) as own_head,
              (select coalesce(max(version), 0) from ${viewSchema}.policy_set) as policy_set_version`,
      [knowledgeSources, KNOWLEDGE_GROUP],
      'knowledge.status',
    );
    const row = rows[0];
    if (row === undefined) throw new Error('the stored knowledge has no status');
    const newest = knowledgeSources.map((source, place) => [source, Number(row.newest[place] ?? 0)]);
    return {
      batches: Object.fromEntries(newest),
      unreadable: row.unreadable,
      ownHead: Number(row.own_head),
      policySetVersion: row.policy_set_version,
    };
  }

  /** Everything that is stored, as of one moment. */
  load(): Promise<StoredKnowledge> {
    return this.database.transaction(async (tx) => {
      await tx.query('set transaction isolation level repeatable read, read only');
      await tx.query('set local statement_timeout = 0');
      const { rows } = await tx.query<KnownRow>(
        `select source, type, at, data from ${viewSchema}.known order by seq`,
      );
      const received = await tx.query<{ source: string; got: string }>(
        `select source, got::text from ${viewSchema}.inbox_received where grp = $1`,
        [KNOWLEDGE_GROUP],
      );
      const batches = await tx.query<{ source: string; seq: string }>(
        `select source, max(seq) as seq from ${viewSchema}.known_batch group by source`,
      );
      return {
        rows,
        received: Object.fromEntries(received.rows.map(({ source, got }) => [source, runsOf(got)])),
        batches: Object.fromEntries(batches.rows.map(({ source, seq }) => [source, Number(seq)])),
      };
    });
  }

  /** What one source has brought after batch `after`, up to and with batch `upTo`. */
  async since(
    source: string,
    after: number,
    upTo: number,
  ): Promise<{ rows: readonly KnownRow[]; received: Runs }> {
    const [known, batches] = await Promise.all([
      this.database.query<KnownRow>(
        `select source, type, at, data from ${viewSchema}.known
         where source = $1 and batch > $2 and batch <= $3 order by seq`,
        [source, after, upTo],
        'knowledge.since',
      ),
      this.database.query<{ positions: string }>(
        `select positions::text from ${viewSchema}.known_batch where source = $1 and seq > $2 and seq <= $3`,
        [source, after, upTo],
        'knowledge.batches-since',
      ),
    ]);
    return { rows: known.rows, received: batches.rows.flatMap(({ positions }) => runsOf(positions)) };
  }

  /** Deletes what need not be known any more. Readers that were away for longer MUST load everything again. */
  async forget(now: Date): Promise<void> {
    await this.database.query(`delete from ${viewSchema}.known where forget_at < $1`, [now]);
    const before = new Date(now.getTime() - endedMsKept);
    // The newest batch of each source stays: it says how far a reader must have come.
    await this.database.query(
      `delete from ${viewSchema}.known_batch b where b.at < $1
         and b.seq < (select max(seq) from ${viewSchema}.known_batch n where n.source = b.source)`,
      [before],
    );
  }
}

const tables = `
create table if not exists ${viewSchema}.known_batch (
  seq bigint generated always as identity primary key,
  source text not null, positions int8multirange not null, at timestamptz not null);
create index if not exists known_batch_source on ${viewSchema}.known_batch (source, seq);
create table if not exists ${viewSchema}.known (
  seq bigint generated always as identity primary key,
  batch bigint not null, source text not null, pos bigint not null, type text not null, subject text not null,
  at timestamptz not null, data bytea not null, forget_at timestamptz,
  unique (source, pos));
create index if not exists known_since on ${viewSchema}.known (source, batch);
create index if not exists known_subject on ${viewSchema}.known (subject);
create index if not exists known_forget on ${viewSchema}.known (forget_at) where forget_at is not null;
`;

/** `{[1,4),[7,8)}` is 1 to 3, and 7. */
function runsOf(multirange: string): Runs {
  return [...multirange.matchAll(/\[(\d+),(\d+)\)/g)].map(([, from, end]) => [Number(from), Number(end) - 1]);
}
