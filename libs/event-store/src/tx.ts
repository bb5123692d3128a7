export interface QueryAnswer<R> {
  rows: R[];
  rowCount: number | null;
}

/** Where statements are asked, and whoever waits for their commit is told. */
export interface Statements {
  /** @param name prepares the statement once per connection; one name, one text */
  query<R>(sql: string, params?: readonly unknown[], name?: string): Promise<QueryAnswer<R>>;
  /** Runs after the commit, not at all when there is none. MUST NOT throw. */
  afterCommit(run: () => void): void;
}

/** One open transaction. It belongs to the function it was handed to and is over when that function has ended. */
export interface Tx extends Statements {
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
}
