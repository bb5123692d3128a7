import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, LocalPostgres } from '@writ/event-store';
import { reapDirectory } from './orphan.js';

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

/**
 * Starts a server in about two seconds. Several may start at once. When the test's process dies without `stop`, the
 * server ends and its folder goes all the same.
 */
export async function startPostgres(settings: PostgresSettings = {}): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'writ-postgres-'));
  const reaper = reapDirectory(folder);
  const remove = async () => {
    await rm(folder, { recursive: true, force: true });
    reaper.release();
  };
  try {
    const { server, port } = await started(folder, settings);
    return {
      superuserUrl: server.url('postgres'),
      port,
      database: async (name) => {
        await server.createDatabase(name);
        return server.url(name);
      },
      crash: () => server.crash(),
      startAgain: () => server.startAgain(),
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (cause) {
    await remove();
    throw cause;
  }
}

async function started(folder: string, { durable = false, maxConnections = 200 }: PostgresSettings) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { server: await LocalPostgres.start({ folder, port, durable, maxConnections }), port };
    } catch (cause) {
      // Another process may have taken the port since.
      if (attempt === START_ATTEMPTS || !String(cause).includes('Address already in use')) throw cause;
    }
  }
}
