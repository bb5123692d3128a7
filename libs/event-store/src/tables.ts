import type { Database } from './database.js';

/** Tables of a service that are no view, in one of its schemas. */
export interface Tables {
  readonly database: Database;
  readonly schema: string;
  /** `create table if not exists …`, one or several. */
  readonly sql: string;
}

/**
 * Makes tables, all or none; safe in several processes at once. `if not exists` alone is not: PostgreSQL lets two look
 * before either has made the table, and the slower one fails.
 */
export async function makeTables({ database, schema, sql }: Tables): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`writ-tables/${schema}`]);
    await tx.query(sql);
  });
}
