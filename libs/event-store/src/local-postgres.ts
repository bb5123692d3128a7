import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type Binaries,
  type Owner,
  reachableBinaries,
  requireReachable,
  serverOwner,
} from './server-owner.js';

/**
 * A real PostgreSQL on 127.0.0.1 from the binaries that npm brings, for a single machine and for tests. `pg_ctl` is not
 * used: the server is our child, and its own lock file says whether an earlier one still runs.
 */
export interface LocalPostgresSettings {
  /** Holds `data`, `password` and the log; made with mode 0700 when it does not exist. */
  readonly folder: string;
  readonly port: number;
  /** False only for tests: a crash of the machine could then lose commits. */
  readonly durable: boolean;
  readonly maxConnections: number;
  /** How long the server may take until it answers; 30 000 unless given. */
  readonly startMsMax?: number;
}

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 20_000;
const SUPERUSER = 'postgres';

export class LocalPostgres {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly settings: LocalPostgresSettings,
    private readonly binaries: Binaries,
    private readonly owner: Owner | undefined,
    private readonly password: string,
  ) {}

  /** Starts the server, on the data that is there or on new data. An earlier server on the same data is ended first. */
  static async start(settings: LocalPostgresSettings): Promise<LocalPostgres> {
    const owner = serverOwner();
    const folder = resolve(settings.folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (owner !== undefined) {
      requireReachable(dirname(folder), owner);
      chownSync(folder, owner.uid, owner.gid);
    }
    const binaries = await reachableBinaries(owner);
    const postgres = new LocalPostgres({ ...settings, folder }, binaries, owner, passwordIn(folder, owner));
    await LocalPostgres.endEarlier(folder);
    if (!existsSync(join(folder, 'data', 'PG_VERSION'))) postgres.#initialise();
    await postgres.startAgain();
    return postgres;
  }

  /** Of the superuser. */
  url(database: string): string {
    return `postgres://${SUPERUSER}:${this.password}@127.0.0.1:${this.settings.port}/${database}`;
  }

  /** After `crash`, on the same data and port. */
  async startAgain(): Promise<void> {
    const { folder, port, durable, maxConnections } = this.settings;
    const flags = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: maxConnections,
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    };
    const args = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // A file and no pipe: the server outlives us when we are killed, and must not stumble over what it says then.
    const log = openSync(join(folder, 'server.log'), 'w', 0o600);
    const child = spawn(this.binaries.postgres, ['-D', join(folder, 'data'), ...args], {
      ...this.owner,
      cwd: folder,
      env: { LC_ALL: 'C', PATH: process.env.PATH ?? '' },
      stdio: ['ignore', log, log],
      // An interrupt of the terminal reaches the whole group; the server stops when we say so, after its clients.
      detached: true,
    });
    closeSync(log);
    child.unref();
    this.#process = child;
    try {
      await this.#ready(child);
    } catch (cause) {
      // It is detached: nobody else would ever end it.
      await this.stop();
      throw cause;
    }
  }

  async createDatabase(name: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    await client.connect();
    try {
      const known = await client.query('select from pg_database where datname = $1', [name]);
      if (known.rowCount === 0)
        await client.query(`create database ${client.escapeIdentifier(name)} template template0`);
    } finally {
      await client.end();
    }
  }

  /** What `pg_ctl stop -m immediate` does: no checkpoint, every connection cut; the next start recovers from the WAL. */
  async crash(): Promise<void> {
    await this.#end('SIGQUIT');
  }

  /** Cuts connections, writes a checkpoint, ends. */
  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    // One that has ended by itself has no number any more; it may be somebody else's by now.
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await endProcess(child.pid, signal);
  }

  /** Ends the server that an earlier process of ours left on the data in `folder` when it was killed. */
  static async endEarlier(folder: string): Promise<void> {
    const data = join(resolve(folder), 'data');
    const lock = join(data, 'postmaster.pid');
    if (!existsSync(lock)) return;
    const [line, directory] = readFileSync(lock, 'utf8').split('\n');
    const pid = Number(line);
    // The number may by now be somebody else's: only a server whose lock file names this very folder is ended.
    if (isRunning(pid) && directory === data && isPostgres(pid)) await endProcess(pid, 'SIGINT');
  }

  #initialise(): void {
    const { folder } = this.settings;
    const passwordFile = join(folder, 'password');
    const draft = join(folder, 'data.new');
    rmSync(draft, { recursive: true, force: true });
    const flags = [
      '--locale=C',
      '--lc-messages=C',
      '--encoding=UTF8',
      ...(this.settings.durable ? [] : ['--no-sync']),
    ];
    execFileSync(
      this.binaries.initdb,
      ['-D', draft, '--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, ...flags],
      { ...this.owner, cwd: folder, env: { LC_ALL: 'C', PATH: process.env.PATH ?? '' }, stdio: 'pipe' },
    );
    // A crash half-way leaves `data.new`, never half a cluster that looks whole.
    renameSync(draft, join(folder, 'data'));
  }

  async #ready(child: ChildProcess): Promise<void> {
    let ended = false;
    child.once('exit', () => {
      ended = true;
    });
    child.once('error', () => {
      ended = true;
    });
    const { startMsMax = START_MS_MAX } = this.settings;
    for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += 50) {
      if (ended) throw new Error(`PostgreSQL did not start: ${this.#lastWords()}`);
      if (await answers(this.url('postgres'))) return;
      await delay(50);
    }
    throw new Error(`PostgreSQL did not answer within ${startMsMax / 1000} s: ${this.#lastWords()}`);
  }

  #lastWords(): string {
    const lines = readFileSync(join(this.settings.folder, 'server.log'), 'utf8').trim().split('\n');
    return lines.slice(-4).join(' ') || 'it said nothing';
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    // Not yet; the caller asks again and gives up after its own time.
    return false;
  }
}

function passwordIn(folder: string, owner: Owner | undefined): string {
  const file = join(folder, 'password');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = randomBytes(24).toString('hex');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
  return password;
}

async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  if (!isRunning(pid)) return;
  process.kill(pid, signal);
  for (let waitedMs = 0; waitedMs < STOP_MS_MAX; waitedMs += 20) {
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

function isPostgres(pid: number): boolean {
  const commandLine = `/proc/${pid}/cmdline`;
  // Where there is no /proc, the folder in the lock file is all there is to go by.
  return (
    !existsSync('/proc/self') ||
    (existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes('postgres'))
  );
}
