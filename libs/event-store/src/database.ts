import pg from 'pg';
import { Connection, ending } from './connection.js';
import { Lane } from './lane.js';
import { LateTx } from './late-tx.js';
import type { QueryAnswer, Tx } from './tx.js';

export interface DatabaseSettings {
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Connections at most; 10 unless given. */
  readonly connectionsMax?: number;
  /** An idle connection broke, for instance because the server stopped. The next query opens a new one. */
  readonly onConnectionLost?: (cause: Error) => void;
}

/** How long a query may wait for a connection. */
const CONNECTION_WAIT_MS_MAX = 5_000;

/**
 * A pool of connections of one role. Timeouts (lock 2 s, statement 5 s, idle in transaction 5 s) are the role's own
 * settings, see `migrate.ts`.
 */
export class Database {
  readonly pool: pg.Pool;

  constructor(settings: DatabaseSettings) {
    this.pool = new pg.Pool({
      connectionString: settings.url,
      application_name: settings.applicationName,
      max: settings.connectionsMax ?? 10,
      connectionTimeoutMillis: CONNECTION_WAIT_MS_MAX,
      keepAlive: true,
      // Lets BEGIN travel with the first statement.
      pipeline: true,
    });
    this.pool.on('error', (cause) => settings.onConnectionLost?.(cause));
    // A server's farewell may arrive just while a connection is handed out, when neither the pool nor its next holder
    // listens; the query that follows fails and says so.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async query<R>(sql: string, params: readonly unknown[] = [], name?: string): Promise<QueryAnswer<R>> {
    const { rows, rowCount } = await this.pool.query({ text: sql, values: [...params], name });
    return { rows, rowCount };
  }

  /**
   * Commits what `run` did, or undoes all of it when `run` throws. When this rejects because the connection broke at
   * the commit, the outcome is unknown: ask again with the same request id.
   */
  async transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    const connection = new Connection(await this.pool.connect());
    return ending(connection, () => {
      connection.begin();
      return run(connection);
    });
  }

  /**
   * As `transaction`, for work that may turn out to need none: it begins with the first query of `tx`, and not before
   * `after` has resolved.
   */
  transactionIfAsked<T>(run: (tx: LateTx) => Promise<T>, after: Promise<void>): Promise<T> {
    const tx = new LateTx(async () => {
      await after;
      return new Connection(await this.pool.connect());
    });
    return ending(tx, () => run(tx));
  }

  lane(): Lane {
    return new Lane(async () => new Connection(await this.pool.connect()));
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
