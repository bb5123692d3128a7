import type { Range } from './range.js';

/** A hole in a source's positions, from when it was first seen. `sinceMs` is monotonic. */
export interface Gap extends Range {
  readonly sinceMs: number;
  /** Whether it was reported already. */
  readonly reported: boolean;
}

/**
 * Facts of one source travel in several partitions, so a hole of a moment is normal; one that stays is a lost
 * fact.
 */
export const GAP_MS_MAX = 10_000;

/**
 * The gaps of one source now, and which of them have to be reported. One that overlaps a gap of `before` has
 * its age: a gap that shrinks is still the same, and counts as filled only when nothing of it is missing any
 * more. Both lists are in order; there may be many, for a source that is read from its beginning has holes
 * everywhere.
 */
export function observeGaps(
  before: readonly Gap[],
  missing: readonly Range[],
  nowMs: number,
): { readonly gaps: readonly Gap[]; readonly overdue: readonly Gap[] } {
  const gaps: Gap[] = [];
  const overdue: Gap[] = [];
  let at = 0;
  for (const { first, last } of missing) {
    while (at < before.length && (before[at] as Gap).last < first) at += 1;
    let sinceMs = nowMs;
    let reported = false;
    for (let look = at; look < before.length && (before[look] as Gap).first <= last; look += 1) {
      const older = before[look] as Gap;
      sinceMs = Math.min(sinceMs, older.sinceMs);
      reported ||= older.reported;
    }
    const late = !reported && nowMs - sinceMs >= GAP_MS_MAX;
    const gap = { first, last, sinceMs, reported: reported || late };
    gaps.push(gap);
    if (late) overdue.push(gap);
  }
  return { gaps, overdue };
}
