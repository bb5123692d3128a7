import pg from 'pg';
import { CopyIn } from './copy.js';

export interface QueryAnswer<R> {
  rows: R[];
  rowCount: number | null;
}

/** One open transaction. It belongs to the function it was handed to and is over when that function has ended. */
export interface Tx {
  /** @param name prepares the statement once per connection; one name, one text */
  query<R>(sql: string, params?: readonly unknown[], name?: string): Promise<QueryAnswer<R>>;
  /**
   * Sends a statement that nobody waits for: it travels with what follows, at the latest with the commit, and is carried
   * out before it. When it fails, the transaction does, with its error.
   *
   * @param heard is told the answer after the commit. MUST NOT throw
   */
  send<R>(
    sql: string,
    params: readonly unknown[],
    name: string,
    heard?: (answer: QueryAnswer<R>) => void,
  ): void;
  /**
   * Inserts rows by `COPY` and answers how many.
   * @param into table and columns: `ledger.entry (idx, leaf)`
   * @param rows of a `CopyRowWriter`, with these columns in this order
   */
  copy(into: string, rows: readonly Uint8Array[]): Promise<number>;
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
      connection.begin();
      const answer = await run(connection);
      await connection.commit();
      return answer;
    } catch (cause) {
      await connection.rollback();
      // What follows a failed statement fails too, and says less.
      throw connection.unheard ?? cause;
    } finally {
      connection.release();
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

class Connection implements Tx {
  /** The first failure of a statement that nobody waited for. */
  unheard: Error | undefined;
  private readonly committed: (() => void)[] = [];
  /** The last statement that nobody waited for; those before it are answered earlier. */
  private sent: Promise<void> = Promise.resolve();
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
    this.gather();
    const { rows, rowCount } = await this.client.query({ text: sql, values: [...params], name });
    return { rows, rowCount };
  }

  send<R>(
    sql: string,
    params: readonly unknown[],
    name: string,
    heard?: (answer: QueryAnswer<R>) => void,
  ): void {
    if (this.over) throw new Error('the transaction is over');
    this.sent = this.query<R>(sql, params, name).then(
      (answer) => heard && this.afterCommit(() => heard(answer)),
      (cause: Error) => {
        this.unheard ??= cause;
      },
    );
  }

  async copy(into: string, rows: readonly Uint8Array[]): Promise<number> {
    if (this.over) throw new Error('the transaction is over');
    this.gather();
    const { rowCount } = await new Promise<{ rowCount: number | null }>((resolve, reject) => {
      const sql = `copy ${into} from stdin (format binary)`;
      this.client.query(new CopyIn(sql, rows, (error, result) => (error ? reject(error) : resolve(result))));
    });
    return rowCount ?? 0;
  }

  afterCommit(run: () => void): void {
    this.committed.push(run);
  }

  /** Travels with the first statement. When it fails, the connection is broken and so is what follows on it. */
  begin(): void {
    this.gather();
    this.client.query('begin').catch(this.onError);
  }

  async commit(): Promise<void> {
    this.over = true;
    this.gather();
    const { command } = await this.client.query('commit');
    await this.sent;
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

  /** What is sent until the end of this tick leaves in one piece: waking the server costs more than what it is told. */
  private gather(): void {
    const { stream } = this.client.connection;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  release(): void {
    this.client.off('error', this.onError);
    this.client.release(this.broken);
  }
}
