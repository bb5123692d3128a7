import type { Connection } from './connection.js';
import type { QueryAnswer, Statements } from './tx.js';

/**
 * Statements that are executed in the order in which they are asked, none waiting for the answer to the one before: they
 * share a connection. Each is a transaction by itself, committed when its answer is here.
 */
export class Lane implements Statements {
  private connecting: Promise<Connection> | undefined;
  private unanswered = 0;

  constructor(private readonly connect: () => Promise<Connection>) {}

  async query<R>(sql: string, params: readonly unknown[] = [], name?: string): Promise<QueryAnswer<R>> {
    this.unanswered += 1;
    this.connecting ??= this.connect();
    const { connecting } = this;
    try {
      return await (await connecting).query<R>(sql, params, name);
    } finally {
      this.unanswered -= 1;
      // Nothing is on its way, so the next statement keeps its place on any connection.
      if (this.unanswered === 0) {
        this.connecting = undefined;
        connecting.then(
          (connection) => connection.release(),
          () => undefined,
        );
      }
    }
  }

  afterCommit(run: () => void): void {
    queueMicrotask(run);
  }

  /** The same lane, which calls `onSent` whenever a statement has its place on it. */
  telling(onSent: () => void): Statements {
    return {
      query: (sql, params, name) => {
        const answer = this.query<never>(sql, params, name);
        onSent();
        return answer;
      },
      afterCommit: (run) => this.afterCommit(run),
    };
  }
}
