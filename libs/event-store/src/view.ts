import type { Database } from './database.js';
import type { EventStore } from './event-store.js';
import type { StoredFact } from './fact.js';
import { schemasOf } from './names.js';
import type { Tx } from './tx.js';

/** A read model of a service's own facts, up to date in the transaction that appends them. */
export abstract class View {
  /** Of the noun: `agent`. Unique within the service. */
  abstract readonly name: string;
  /** Raise it when `tables` or `apply` change: the tables are then dropped and filled again from the facts. */
  abstract readonly version: number;
  /** `create table if not exists <service>_view.<noun> (…)`, with indexes. */
  abstract readonly tables: string;
  /** Ignores facts that are not its business. A Refusal thrown here undoes the append: how names are kept unique. */
  abstract apply(fact: StoredFact, tx: Tx): Promise<void>;
}

export async function applyViews(
  views: readonly View[],
  stored: readonly StoredFact[],
  tx: Tx,
): Promise<void> {
  for (const fact of stored) for (const view of views) await view.apply(fact, tx);
}

export interface ViewSettings {
  readonly database: Database;
  readonly store: EventStore;
  readonly service: string;
  readonly views: readonly View[];
}

const FACTS_PER_READ = 500;
const VIEW_LOCK = 0x76696577;

/**
 * Makes the tables of new views and rebuilds those whose version has changed, by replay of all facts. Before the first
 * command and the first reader; safe in several processes at once. While a view is rebuilt nobody reads it and every
 * append of the service waits, those of other processes too. Answers which views were rebuilt.
 */
export async function prepareViews(settings: ViewSettings): Promise<readonly string[]> {
  const rebuilt: string[] = [];
  for (const view of settings.views) if (await prepareView(settings, view)) rebuilt.push(view.name);
  return rebuilt;
}

function prepareView({ database, store, service }: ViewSettings, view: View): Promise<boolean> {
  const schemas = schemasOf(service);
  return database.transaction(async (tx) => {
    // Without a limit of time: another process may be replaying, and while we are, facts are read elsewhere.
    await tx.query(
      `set local lock_timeout = 0; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`,
    );
    await tx.query('select pg_advisory_xact_lock($1, hashtext($2))', [VIEW_LOCK, schemas.views]);
    await tx.query(
      `create table if not exists ${schemas.views}.view_state (name text primary key, version int not null, tables text[] not null)`,
    );
    const { rows } = await tx.query<{ version: number; tables: string[] }>(
      `select version, tables from ${schemas.views}.view_state where name = $1`,
      [view.name],
    );
    const [state] = rows;
    if (state?.version === view.version) return false;
    // Appends first, tables second, as a command does; the other way round the two would wait for each other.
    const { rows: held } = await tx.query<{ pos: string }>(`select ${schemas.facts}.hold_head() as pos`);
    for (const table of state?.tables ?? [])
      await tx.query(`drop table if exists ${schemas.views}.${quoted(table)}`);
    const tables = await create(tx, schemas.views, view);
    await replay(tx, store, Number(held[0]?.pos), view);
    await tx.query(
      `insert into ${schemas.views}.view_state (name, version, tables) values ($1, $2, $3)
       on conflict (name) do update set version = excluded.version, tables = excluded.tables`,
      [view.name, view.version, tables],
    );
    return true;
  });
}

/** Answers which tables came into being, so that the next version knows what to drop. */
async function create(tx: Tx, schema: string, view: View): Promise<string[]> {
  const before = new Set(await tablesOf(tx, schema));
  await tx.query(view.tables);
  const made = (await tablesOf(tx, schema)).filter((table) => !before.has(table));
  if (made.length === 0) throw new Error(`view \`${view.name}\` made no table of its own in \`${schema}\``);
  return made;
}

async function tablesOf(tx: Tx, schema: string): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>(
    `select relname::text as name from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'p')`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

async function replay(tx: Tx, store: EventStore, head: number, view: View): Promise<void> {
  for (let pos = 0; pos < head; ) {
    const facts = await store.readAfter(pos, FACTS_PER_READ);
    const last = facts.at(-1)?.pos;
    if (last === undefined) throw new Error(`the facts end at ${pos}, their head is ${head}`);
    await applyViews([view], facts, tx);
    // What the view sent without waiting is answered by now, so that no more than one read's worth is ever under way.
    await tx.query('select');
    pos = last;
  }
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
