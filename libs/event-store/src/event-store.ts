import { refusals } from '@writ/kernel';
import { type Append, type Expected, FACT_BYTES_MAX, type NewFact, type StoredFact } from './fact.js';
import type { Statements, Tx } from './tx.js';

export const refuseAppend = refusals({ STREAM_CONFLICT: 'conflict', FACT_TOO_LARGE: 'invalid' });

/**
 * Rows that a statement writes beside the facts it appends: an `insert` that reads their places from `fact(nth, pos)`, the
 * first fact having `nth` 1. Nothing is written when the append is refused.
 */
export interface Beside {
  /** Names the statement; one name, one text. */
  readonly name: string;
  /** @param first number of its first placeholder */
  sql(first: number): string;
  readonly params: readonly unknown[];
}

/** Told of a stream that an append made longer than it should be; `facts` is its new version. */
export type LongStream = (streamId: string, facts: number) => void;

/** The facts of one service, appended and never changed. `event-store.contract.ts` holds what every carrier promises. */
export abstract class EventStore {
  /** All facts of one stream, oldest first; none for a stream that does not exist. In `tx` also what `tx` appended. */
  abstract read(streamId: string, tx?: Tx): Promise<StoredFact[]>;

  /**
   * Appends all or nothing, in the order given, and resolves when the facts are durable. With `tx` they become durable
   * with it, and until it ends no other append of the service goes on: append last.
   *
   * @param inTx runs after the append in the same transaction; what it throws undoes the append
   * @throws Refusal STREAM_CONFLICT when a stream is not as expected, FACT_TOO_LARGE for a fact that no carrier of the
   * bus would take; nothing was written and `tx` may go on
   */
  abstract append(
    appends: readonly Append[],
    inTx?: (tx: Tx, stored: readonly StoredFact[]) => Promise<void>,
    tx?: Tx,
  ): Promise<StoredFact[]>;

  /**
   * Appends all or nothing by one statement of `on`, with which the facts become durable.
   *
   * @param beside is written in the same statement
   * @throws Refusal as `append`
   */
  abstract appendOn(
    on: Statements,
    appends: readonly Append[],
    beside: Beside | undefined,
  ): Promise<StoredFact[]>;

  /**
   * Sends an append that begins a stream, without waiting for the answer: it travels with the commit of `tx`, which fails
   * when the stream has facts already. `pos` of the facts answered is known after the commit and throws before.
   */
  abstract begin(append: Omit<Append, 'expected'>, tx: Tx): StoredFact[];

  /**
   * At most `limit` facts with a higher position, in order. A reader that remembers the last position it saw misses
   * nothing: facts become visible in the order of their positions.
   */
  abstract readAfter(pos: number, limit: number): Promise<StoredFact[]>;

  /** The highest position, which is also the number of facts; 0 when there is none. */
  abstract head(): Promise<number>;

  /** Calls `wake` in this process right after each commit with facts. Answers how to stop. `wake` MUST NOT throw. */
  abstract onAppend(wake: () => void): () => void;
}

export function conflict(streamId: string, version: number, expected: Expected) {
  return refuseAppend(
    'STREAM_CONFLICT',
    `stream \`${streamId}\` is at version ${version}, expected \`${expected}\`; read it again`,
  );
}

/**
 * What is wrong with an append whoever asks for it, found before anything is written: bugs of the caller, and facts that
 * would be recorded and could never be published.
 */
export function checkAppends(appends: readonly Append[]): void {
  for (const { streamId, expected, facts } of appends) {
    if (streamId === '') throw new Error('append to a stream without a name');
    if (facts.length === 0) throw new Error(`append of no facts to \`${streamId}\``);
    if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0))
      throw new Error(`append to \`${streamId}\` expects version ${expected}`);
    for (const fact of facts) checkSize(fact);
  }
}

function checkSize({ type, data }: NewFact): void {
  if (data.length > FACT_BYTES_MAX)
    throw refuseAppend(
      'FACT_TOO_LARGE',
      `\`${type}\` would have ${data.length} bytes, at most \`${FACT_BYTES_MAX}\` can be recorded; send less`,
    );
}
