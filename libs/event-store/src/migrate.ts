import pg from 'pg';
import type { Migration } from './migration.js';
import { type Schemas, schemasOf } from './names.js';
import { storeMigrations } from './schema.sql.js';
import { scramVerifier } from './scram.js';

export interface MigrationSettings {
  /** A role that may create roles, and schemas in this database. It owns the tables of facts. */
  readonly ownerUrl: string;
  /** `policy-engine`; the schemas are `policy_engine` and `policy_engine_view`. */
  readonly service: string;
  /** The role the service connects with; made when it does not exist. */
  readonly runtimeRole: string;
  readonly password: string;
  /** Tables of other areas in the schema of facts, after the store's own. */
  readonly migrations?: readonly Migration[];
}

// One at a time per database, whichever service it is for: CREATE ROLE and GRANT touch catalogs that all share.
const MIGRATION_LOCK = 0x77726974;

// A waiter for a lock holds up a service, an idle transaction holds up everybody's append.
const timeouts = { lock_timeout: '2s', statement_timeout: '5s', idle_in_transaction_session_timeout: '5s' };

/**
 * Makes roles, schemas and tables of one service, or brings them up to date. Safe to run at every start and by several
 * processes at once.
 *
 * @throws Error when the database is newer than this program
 */
export async function migrate(settings: MigrationSettings): Promise<void> {
  const schemas = schemasOf(settings.service);
  const client = new pg.Client({ connectionString: settings.ownerUrl, application_name: 'writ migrate' });
  // A broken connection also fails the statement that is waited for.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await ensureRole(client, settings);
    await client.query(`create schema if not exists ${schemas.facts}`);
    await client.query(`create schema if not exists ${schemas.views}`);
    await client.query(`create table if not exists ${schemas.facts}.migration (
      area text, number int, applied_at timestamptz not null default now(), primary key (area, number))`);
    await forward(client, schemas, client.escapeIdentifier(settings.runtimeRole), [
      ...storeMigrations,
      ...(settings.migrations ?? []),
    ]);
  } catch (cause) {
    throw new Error(`migration of \`${settings.service}\` failed`, { cause });
  } finally {
    await client.end();
  }
}

async function ensureRole(client: pg.Client, { runtimeRole, password }: MigrationSettings): Promise<void> {
  const role = client.escapeIdentifier(runtimeRole);
  const known = await client.query('select from pg_roles where rolname = $1', [runtimeRole]);
  // Roles belong to the cluster, the lock to the database: another database's migration may be faster.
  if (known.rowCount === 0)
    await client.query(
      `do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`,
    );
  await client.query(`alter role ${role} login noinherit password '${scramVerifier(password)}'`);
  for (const [name, value] of Object.entries(timeouts))
    await client.query(`alter role ${role} set ${name} = '${value}'`);
}

async function forward(client: pg.Client, schemas: Schemas, role: string, migrations: readonly Migration[]) {
  const { rows } = await client.query<{ area: string; number: number }>(
    `select area, max(number) as number from ${schemas.facts}.migration group by area`,
  );
  const applied = new Map(rows.map(({ area, number }) => [area, number]));
  for (const area of new Set(migrations.map((migration) => migration.area))) {
    const steps = migrations
      .filter((migration) => migration.area === area)
      .sort((a, b) => a.number - b.number);
    const before = applied.get(area) ?? 0;
    const last = steps.at(-1)?.number ?? 0;
    if (before > last)
      throw new Error(
        `the database is at \`${area}\` ${before}, this program knows ${last}; start a newer one`,
      );
    for (const step of steps.filter(({ number }) => number > before))
      await apply(client, schemas, role, step);
  }
}

async function apply(client: pg.Client, schemas: Schemas, role: string, { area, number, sql }: Migration) {
  await client.query('begin');
  try {
    await client.query(sql(schemas, role));
    await client.query(`insert into ${schemas.facts}.migration (area, number) values ($1, $2)`, [
      area,
      number,
    ]);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    throw new Error(`step ${number} of \`${area}\` failed`, { cause });
  }
}
