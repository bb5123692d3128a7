import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from '@writ/kernel';
import type { Secret } from '@writ/service';
import pg from 'pg';
import { DatabaseCredentials, type NewLogin, refuseDatabase } from './lease.provider.js';
import { membershipSql } from './membership.sql.js';
import { SALT_BYTES, scramVerifier } from './scram.cipher.js';

export interface PostgresSettings {
  readonly randomBytes: (count: number) => Uint8Array;
  /** See `scramVerifier`; 1 to 1,000,000. */
  readonly scramIterations: number;
  /** How many connections one login may have at a time. */
  readonly connectionsMax: number;
}

/** Administrator connections kept open per database, and databases at a time. */
const POOL_CONNECTIONS = 4;
const POOLS_MAX = 16;
const CONNECT_MS = 2_000;
const STATEMENT_MS = 5_000;
/** The server has ended a statement before its answer is no longer waited for. */
const ANSWER_MS = STATEMENT_MS + 1_000;
const LOCK_MS = 2_000;
/** How long the end of the login's connections is waited for, and how often it is looked for. */
const TERMINATE_MS_MAX = 2_000;
const LOOK_EVERY_MS = 5;

/** `undefined_object`: the login is gone already. */
const GONE = '42704';
/**
 * `tuple concurrently updated`, `insufficient_privilege` (the membership by which we may goes a moment before the login)
 * and `unique_violation` (the same grant twice): another replica may be revoking the same login.
 */
const OVERTAKEN = ['XX000', '42501', '23505'];
const TRIES_MAX = 5;

/** Attributes and predefined roles by which a login could become more than the tables it was lent. */
const tooPowerfulSql = `
with recursive above(oid) as (
  select oid from pg_roles where rolname = any($1)
  union
  select m.roleid from pg_auth_members m join above on m.member = above.oid)
select rolname from pg_roles join above using (oid)
where rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolname in
  ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_signal_backend')
order by rolname limit 1`;

/**
 * Logins on PostgreSQL 14 or newer. The administrator needs CREATEROLE, the admin option on the roles that are lent, and
 * `pg_signal_backend` to close connections; a superuser has all that.
 */
export class PostgresCredentials extends DatabaseCredentials {
  /** A connection, the look at the roles, the login. */
  override readonly createMsMax = CONNECT_MS + 2 * ANSWER_MS;
  private readonly pools = new Map<string, pg.Pool>();

  constructor(private readonly settings: PostgresSettings) {
    super();
  }

  override databaseOf(adminUrl: Secret<string>): string | undefined {
    const text = adminUrl.reveal();
    if (!isUrl(text)) return undefined;
    // As the driver reads it: a host in the query wins, and a database without a name is the user's.
    const { hostname, port, pathname, username, searchParams } = new URL(text);
    const host = (searchParams.get('host') ?? hostname).toLowerCase();
    return `${host}:${port || '5432'}/${pathname.slice(1) || username}`;
  }

  override async create(adminUrl: Secret<string>, login: NewLogin): Promise<void> {
    const { randomBytes, scramIterations, connectionsMax } = this.settings;
    const verifier = await scramVerifier(login.password, randomBytes(SALT_BYTES), scramIterations);
    await this.asAdmin(adminUrl, 'creating a login', async (client) => {
      await requireHarmless(client, login.memberOf);
      // A utility statement takes no parameters, so names and texts are quoted into it.
      await client.query(
        `create role ${client.escapeIdentifier(login.username)} login
           nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit
           connection limit ${connectionsMax}
           password ${client.escapeLiteral(verifier)}
           valid until ${client.escapeLiteral(login.expireTime.toISOString())}
           in role ${login.memberOf.map((role) => client.escapeIdentifier(role)).join(', ')}`,
      );
    });
  }

  override async extend(adminUrl: Secret<string>, username: string, expireTime: Date): Promise<void> {
    await this.asAdmin(adminUrl, 'extending a login', async (client) => {
      const until = client.escapeLiteral(expireTime.toISOString());
      await client.query(`alter role ${client.escapeIdentifier(username)} valid until ${until}`);
    });
  }

  override async revoke(adminUrl: Secret<string>, username: string): Promise<void> {
    await this.asAdmin(adminUrl, 'revoking a login', async (client) => {
      const login = await loginOf(client, username);
      if (login === undefined) return;
      await takeAway(client, client.escapeIdentifier(username), login);
      // A connection that was half-way through its start when NOLOGIN came shows up a moment later.
      await closeConnections(client, login.oid);
    });
  }

  override exists(adminUrl: Secret<string>, username: string): Promise<boolean> {
    return this.asAdmin(
      adminUrl,
      'looking for a login',
      async (client) => (await loginOf(client, username)) !== undefined,
    );
  }

  override async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.end()));
  }

  private async asAdmin<T>(
    adminUrl: Secret<string>,
    doing: string,
    work: (client: pg.PoolClient) => Promise<T>,
  ): Promise<T> {
    let client: pg.PoolClient | undefined;
    let broken = false;
    const onError = () => {
      broken = true;
    };
    try {
      client = await this.poolOf(adminUrl).connect();
      // A connection that breaks also fails its statement; without a listener it would end the process.
      client.on('error', onError);
      return await work(client);
    } catch (cause) {
      broken ||= !(cause instanceof Refusal || cause instanceof pg.DatabaseError);
      throw refusalFor(doing, cause);
    } finally {
      client?.off('error', onError);
      client?.release(broken);
    }
  }

  private poolOf(adminUrl: Secret<string>): pg.Pool {
    const connectionString = adminUrl.reveal();
    const known = this.pools.get(connectionString);
    if (known !== undefined) return known;
    if (!isUrl(connectionString))
      throw refuseDatabase(
        'DATABASE_ADMIN_INVALID',
        'the secret of the database role holds no connection URL `postgres://…`; add a version that does',
      );
    const pool = new pg.Pool({
      connectionString,
      application_name: 'writ vault',
      max: POOL_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: STATEMENT_MS,
      lock_timeout: LOCK_MS,
      query_timeout: ANSWER_MS,
      idleTimeoutMillis: 30_000,
    });
    // An idle connection that breaks is replaced at the next use, which reports what is wrong then.
    pool.on('error', () => undefined);
    this.forgetOldest();
    this.pools.set(connectionString, pool);
    return pool;
  }

  /** Rotated administrator passwords leave pools behind that nobody asks for again. */
  private forgetOldest(): void {
    const [oldest] = this.pools;
    if (this.pools.size < POOLS_MAX || oldest === undefined) return;
    const [url, pool] = oldest;
    this.pools.delete(url);
    void pool.end();
  }
}

function isUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text);
}

async function requireHarmless(client: pg.PoolClient, memberOf: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>(tooPowerfulSql, [memberOf]);
  const [role] = rows;
  if (role !== undefined)
    throw refuseDatabase(
      'DATABASE_ROLE_TOO_POWERFUL',
      `role \`${role.rolname}\` could make itself more than it is; lend a role without such rights`,
    );
}

/**
 * Tried again when another replica was faster, and not kept in turn by an advisory lock: the login that is revoked could
 * take that lock itself and stay.
 */
async function takeAway(client: pg.PoolClient, role: string, login: Login): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      // Committed before anything else: from here on nobody new gets in while the others are sent out.
      await client.query(`alter role ${role} nologin`);
      await closeConnections(client, login.oid);
      return await dropRole(client, role, login.group);
    } catch (cause) {
      const code = (cause instanceof pg.DatabaseError && cause.code) || '';
      if (code === GONE) return;
      if (!OVERTAKEN.includes(code) || tries === TRIES_MAX) throw cause;
      await delay(LOOK_EVERY_MS * tries);
    }
  }
}

interface Login {
  readonly oid: string;
  readonly group: string | null;
}

/** The login's oid, and the first role it is a member of. */
async function loginOf(client: pg.PoolClient, username: string) {
  const { rows } = await client.query<Login>(
    `select r.oid, (select min(g.rolname) from pg_auth_members m join pg_roles g on g.oid = m.roleid
                    where m.member = r.oid) as "group"
       from pg_roles r where r.rolname = $1`,
    [username],
  );
  return rows[0];
}

/**
 * By oid, which outlives the role's name in the list of connections. Asks again by itself: the server's own waiting looks
 * every 100 ms only.
 */
async function closeConnections(client: pg.PoolClient, oid: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const { rowCount } = await client.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where usesysid = $1',
      [oid],
    );
    if (rowCount === 0) return;
    if (waitedMs >= TERMINATE_MS_MAX)
      throw refuseDatabase('DATABASE_REFUSED', 'a connection of the login does not end; end it by hand');
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * What the login made is handed to a role it belonged to and never to the administrator: a function with SECURITY
 * DEFINER would then run with the administrator's rights.
 */
async function dropRole(client: pg.PoolClient, role: string, group: string | null): Promise<void> {
  await client.query('begin');
  try {
    const { rows } = await client.query<{ rolsuper: boolean; version: number }>(
      `select rolsuper, current_setting('server_version_num')::int as version from pg_roles where rolname = current_user`,
    );
    const [admin] = rows;
    if (admin !== undefined && !admin.rolsuper) await client.query(membershipSql(role, admin.version));
    if (group !== null) await client.query(`reassign owned by ${role} to ${client.escapeIdentifier(group)}`);
    await client.query(`drop owned by ${role}`);
    await client.query(`drop role ${role}`);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    throw cause;
  }
}

/**
 * Error codes and nothing else: the text of a driver's error may hold the administrator's URL or a statement, and this
 * one is recorded in a fact and shown. Hence no `cause` either.
 */
function refusalFor(doing: string, cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no code';
  const unavailable = !(cause instanceof pg.DatabaseError) || /^(08|53|57P)/.test(code);
  return unavailable
    ? refuseDatabase('DATABASE_UNAVAILABLE', `${doing}: the database did not answer (\`${code}\`)`)
    : refuseDatabase('DATABASE_REFUSED', `${doing}: the database refused (SQLSTATE \`${code}\`)`);
}
