import { setTimeout as delay } from 'node:timers/promises';
import type { StoredFact } from '@writ/event-store';

/** Where facts are read from in the order of their positions. */
export type ReadAfter = (pos: number, limit: number) => Promise<readonly Pick<StoredFact, 'pos' | 'id'>[]>;

/** Reads as a relay does, remembering the last position only, until `finished` and nothing new comes. */
export async function follow(
  readAfter: ReadAfter,
  finished: () => boolean,
): Promise<Pick<StoredFact, 'pos' | 'id'>[]> {
  const seen: Pick<StoredFact, 'pos' | 'id'>[] = [];
  for (;;) {
    const last = finished();
    const facts = await readAfter(seen.at(-1)?.pos ?? 0, 7);
    seen.push(...facts);
    if (facts.length === 0 && last) return seen;
    if (facts.length === 0) await delay(1);
  }
}

/** What a reader got wrong about the positions 1 to `head`; nothing when it saw each exactly once and in order. */
export function faultsOf(seen: readonly { pos: number }[], head: number): string[] {
  const faults = seen.flatMap(({ pos }, place) =>
    pos === place + 1 ? [] : [`${pos} came as number ${place + 1}`],
  );
  return seen.length === head ? faults : [...faults, `${seen.length} of ${head} came`];
}

/** Numbers from 0 to 1 that look random and are the same in every run. */
export function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) / 0x7fffff;
  };
}
