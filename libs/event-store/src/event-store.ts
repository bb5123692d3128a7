import { refusals } from '@writ/kernel';
import type { Tx } from './database.js';
import type { Append, Expected, StoredFact } from './fact.js';

export const refuseAppend = refusals({ STREAM_CONFLICT: 'conflict' });

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
   * @throws Refusal STREAM_CONFLICT when a stream is not as expected; nothing was written and `tx` may go on
   */
  abstract append(
    appends: readonly Append[],
    inTx?: (tx: Tx, stored: readonly StoredFact[]) => Promise<void>,
    tx?: Tx,
  ): Promise<StoredFact[]>;

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

export function meets(expected: Expected, version: number): boolean {
  if (expected === 'any') return true;
  if (expected === 'exists') return version > 0;
  return version === (expected === 'none' ? 0 : expected);
}

export function conflict(streamId: string, version: number, expected: Expected) {
  return refuseAppend(
    'STREAM_CONFLICT',
    `stream \`${streamId}\` is at version ${version}, expected \`${expected}\`; read it again`,
  );
}

/** What is wrong with an append whoever asks for it: bugs of the caller, found before anything is written. */
export function checkAppends(appends: readonly Append[]): void {
  for (const { streamId, expected, facts } of appends) {
    if (streamId === '') throw new Error('append to a stream without a name');
    if (facts.length === 0) throw new Error(`append of no facts to \`${streamId}\``);
    if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0))
      throw new Error(`append to \`${streamId}\` expects version ${expected}`);
  }
}
