import type { Connection } from './connection.js';
import type { QueryAnswer, Statements } from './tx.js';

/** A transaction that begins with its first query. */
export class LateTx implements Statements {
  private connecting: Promise<Connection> | undefined;
  private connection: Connection | undefined;

  constructor(private readonly connect: () => Promise<Connection>) {}

  /** The transaction, once somebody has asked it something. */
  get ifBegun(): Statements | undefined {
    return this.connecting && this;
  }

  get unheard(): Error | undefined {
    return this.connection?.unheard;
  }

  async query<R>(sql: string, params: readonly unknown[] = [], name?: string): Promise<QueryAnswer<R>> {
    return (await this.begin()).query(sql, params, name);
  }

  afterCommit(run: () => void): void {
    if (this.connection === undefined) throw new Error('the transaction has not begun');
    this.connection.afterCommit(run);
  }

  async commit(): Promise<void> {
    await this.connection?.commit();
  }

  async rollback(): Promise<void> {
    // Whoever asked may have failed over something else before it was connected.
    await this.connecting?.catch(() => undefined);
    await this.connection?.rollback();
  }

  release(): void {
    this.connection?.release();
  }

  private begin(): Promise<Connection> {
    this.connecting ??= this.connect().then((connection) => {
      this.connection = connection;
      connection.begin();
      return connection;
    });
    return this.connecting;
  }
}
