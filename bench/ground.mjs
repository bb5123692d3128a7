// A place for one figure: a folder that the database's user can enter, and an end for everything that was started in it.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, freePort, LocalPostgres } from '@writ/event-store';

const STOP_MS_MAX = 10_000;

/**
 * Entered by the database's own user, listed by nobody else. Not below the system's temporary folder: that one may be in
 * memory, and durable would mean nothing.
 */
export function newFolder() {
  const folder = mkdtempSync('/var/tmp/writ-bench-');
  chmodSync(folder, 0o711);
  return folder;
}

/**
 * Runs a figure and stops what it handed to `onEnd`, the last first, whether it ended, failed or was told to end. Exits
 * with 1 when it failed to run.
 */
export async function figure(run) {
  const name = process.argv[2];
  const folder = process.env.WRIT_BENCH_DIR ?? newFolder();
  const stops = [];
  let ending;
  const end = (code) => {
    ending ??= stopAll(stops)
      .then(() => removeFolder(folder))
      .finally(() => process.exit(code));
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(1));
  try {
    await run({ name, folder, onEnd: (stop) => stops.push(stop) });
    await end(0);
  } catch (error) {
    if (ending === undefined) process.stderr.write(`${name} failed: ${error?.stack ?? error}\n`);
    for (let cause = error?.cause; cause instanceof Error; cause = cause.cause)
      process.stderr.write(`  because: ${cause.message}\n`);
    await end(1);
  }
}

async function stopAll(stops) {
  for (const stop of stops.toReversed()) {
    try {
      await Promise.race([stop(), delay(STOP_MS_MAX, undefined, { ref: false })]);
    } catch (error) {
      process.stderr.write(`a part did not stop: ${error?.message ?? error}\n`);
    }
  }
}

/**
 * Ends the PostgreSQL servers that a killed figure left in `folder`, each found by its own lock file, and removes the
 * folder.
 */
export async function removeFolder(folder) {
  if (!existsSync(folder)) return;
  const locks = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith('postmaster.pid'));
  for (const path of locks) {
    const [pid, directory] = readFileSync(join(folder, path), 'utf8').split('\n');
    const isRunning = () => existsSync(`/proc/${pid}`);
    if (directory !== join(folder, path, '..') || !isRunning()) continue;
    process.kill(Number(pid), 'SIGQUIT');
    for (let waitedMs = 0; isRunning() && waitedMs < STOP_MS_MAX; waitedMs += 50) await delay(50);
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** A first port with the 21 above it free, outside the range that outgoing connections are given. */
export async function freePortBase() {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    // Two benches at once begin to look at different places.
    const base = 12_000 + ((process.pid + attempt) % 500) * 30;
    const taken = await Promise.all(Array.from({ length: 22 }, (_, above) => isTaken(base + above)));
    if (!taken.includes(true)) return base;
  }
  throw new Error('no 22 free ports in a row were found');
}

function isTaken(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
}

/** A durable PostgreSQL of the figure's own. */
export async function durablePostgres({ folder, onEnd }) {
  const postgres = await LocalPostgres.start({
    folder: join(folder, 'postgres'),
    port: await freePort(),
    durable: true,
    maxConnections: 100,
  });
  onEnd(() => postgres.stop());
  await postgres.createDatabase('bench');
  return postgres;
}

/** Connections to the figure's database, as its owner unless `url` says otherwise. */
export function databaseOf(postgres, { onEnd }, { url = postgres.url('bench'), connectionsMax = 16 } = {}) {
  const database = new Database({ url, applicationName: 'writ bench', connectionsMax });
  onEnd(() => database.close());
  return database;
}

/** The process id of the server that keeps its data below `folder`. */
export function postgresPid(folder) {
  return Number(readFileSync(join(folder, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
}
