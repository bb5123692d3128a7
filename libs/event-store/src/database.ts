import pg from 'pg';

export interface QueryAnswer<R> {
  rows: R[];
  rowCount: number | null;
}

/** One open transaction. It belongs to the function it was handed to and is over when that function has ended. */
export interface Tx {
  /** @param name prepares the statement once per connection; one name, one text */
  query<R>(sql: string, params?: readonly unknown[], name?: string): Promise<QueryAnswer<R>>;
  /** Runs after the commit, not at all when there is none. MUST NOT throw. */
  afterCommit(run: () => void): void;
}

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
    const client = await this.pool.connect();
    const connection = new Connection(client);
    try {
      const begun = connection.begin();
      const answer = await run(connection);
      await begun;
      await connection.commit();
      return answer;
    } catch (cause) {
      await connection.rollback();
      throw cause;
    } finally {
      connection.release();
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

class Connection implements Tx {
  private readonly committed: (() => void)[] = [];
  private broken: Error | undefined;
  private over = false;
  private readonly onError = (cause: Error) => {
    this.broken = cause;
  };

  constructor(private readonly client: pg.PoolClient) {
    // The pool listens to idle connections only; without this, a server that stops would end the process.
    client.on('error', this.onError);
  }

  async query<R>(sql: string, params: readonly unknown[] = [], name?: string): Promise<QueryAnswer<R>> {
    if (this.over) throw new Error('the transaction is over');
    const { rows, rowCount } = await this.client.query({ text: sql, values: [...params], name });
    return { rows, rowCount };
  }

  afterCommit(run: () => void): void {
    this.committed.push(run);
  }

  /** Sent at once and awaited at the end: when it fails, the connection is broken and so is what follows on it. */
  begin(): Promise<void> {
    const begun = this.client.query('begin').then(() => undefined);
    begun.catch(this.onError);
    return begun;
  }

  async commit(): Promise<void> {
    this.over = true;
    const { command } = await this.client.query('commit');
    // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
    if (command !== 'COMMIT')
      throw new Error('the transaction was rolled back: one of its statements had failed');
    for (const run of this.committed) queueMicrotask(run);
  }

  async rollback(): Promise<void> {
    this.over = true;
    if (this.broken) return;
    await this.client.query('rollback').catch(this.onError);
  }

  release(): void {
    this.client.off('error', this.onError);
    this.client.release(this.broken);
  }
}
