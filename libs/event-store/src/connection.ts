import type pg from 'pg';
import { CopyIn } from './copy.js';
import type { QueryAnswer, Tx } from './tx.js';

/** What `ending` ends. */
interface Ending {
  /** The first failure of a statement that nobody waited for. */
  readonly unheard: Error | undefined;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): void;
}

/** Runs and commits; undoes what failed, and lets go of the connection either way. */
export async function ending<T>(tx: Ending, run: () => Promise<T>): Promise<T> {
  try {
    const answer = await run();
    await tx.commit();
    return answer;
  } catch (cause) {
    await tx.rollback();
    // What follows a failed statement fails too, and says less.
    throw tx.unheard ?? cause;
  } finally {
    tx.release();
  }
}

/** A connection of the pool, held until `release`. */
export class Connection implements Tx {
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
