import { describe, expect, it } from '@jest/globals';
import { GAP_MS_MAX, observeGaps } from './gap.js';

describe('a gap in the facts of a source', () => {
  it('is no alarm while it is younger than ten seconds', () => {
    const first = observeGaps([], [{ first: 3, last: 4 }], 1_000);
    expect(first.overdue).toEqual([]);
    expect(observeGaps(first.gaps, [{ first: 3, last: 4 }], 1_000 + GAP_MS_MAX - 1).overdue).toEqual([]);
  });

  it('is reported once when it has lasted ten seconds', () => {
    const first = observeGaps([], [{ first: 3, last: 4 }], 1_000);
    const second = observeGaps(first.gaps, [{ first: 3, last: 4 }], 1_000 + GAP_MS_MAX);
    expect(second.overdue).toMatchObject([{ first: 3, last: 4, sinceMs: 1_000 }]);
    expect(observeGaps(second.gaps, [{ first: 3, last: 4 }], 90_000).overdue).toEqual([]);
  });

  it('keeps its age when a part of it arrives', () => {
    const first = observeGaps([], [{ first: 3, last: 6 }], 1_000);
    const parts = [
      { first: 3, last: 3 },
      { first: 5, last: 6 },
      { first: 8, last: 9 },
    ];
    expect(observeGaps(first.gaps, parts, 2_000).gaps.map(({ sinceMs }) => sinceMs)).toEqual([
      1_000, 1_000, 2_000,
    ]);
  });

  it('is forgotten when it is filled; the next one is new', () => {
    const first = observeGaps([], [{ first: 3, last: 3 }], 1_000);
    const filled = observeGaps(first.gaps, [], 2_000);
    expect(filled.gaps).toEqual([]);
    expect(observeGaps(filled.gaps, [{ first: 9, last: 9 }], 3_000).gaps).toMatchObject([{ sinceMs: 3_000 }]);
  });

  it('is told from its neighbours, of which each has an age of its own', () => {
    const young = observeGaps([], [{ first: 10, last: 12 }], 5_000).gaps;
    const both = observeGaps(
      young,
      [
        { first: 2, last: 4 },
        { first: 10, last: 12 },
      ],
      6_000,
    );
    expect(both.gaps.map(({ sinceMs }) => sinceMs)).toEqual([6_000, 5_000]);
    expect(
      observeGaps(
        both.gaps,
        [
          { first: 2, last: 4 },
          { first: 10, last: 12 },
        ],
        15_500,
      ).overdue,
    ).toMatchObject([{ first: 10, last: 12 }]);
  });
});
