import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Positions, rangeText } from './range.js';

const positionsOf = (...all: number[]) => {
  const positions = new Positions();
  for (const pos of all) positions.add(pos);
  return positions;
};

describe('a set of positions', () => {
  it('names what is missing below the highest', () => {
    expect(positionsOf(1, 2, 5, 9).missing().map(rangeText)).toEqual(['3-4', '6-8']);
    expect(positionsOf(3).missing().map(rangeText)).toEqual(['1-2']);
    expect(positionsOf(1, 2, 3).missing()).toEqual([]);
    expect(positionsOf().missing()).toEqual([]);
  });

  it('knows a position it has', () => {
    const positions = positionsOf(1, 2, 4);
    expect([1, 2, 4].map((pos) => positions.add(pos))).toEqual([false, false, false]);
    expect(positions.add(3)).toBe(true);
    expect(positions.all()).toEqual([{ first: 1, last: 4 }]);
  });

  it('is the same in whatever order positions come, and through PostgreSQL text', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (all) => {
        const positions = positionsOf(...all);
        const sorted = [...new Set(all)].sort((a, b) => a - b);
        const members = positions.all().flatMap(({ first, last }) => {
          return Array.from({ length: last - first + 1 }, (_, at) => first + at);
        });
        expect(members).toEqual(sorted);
        expect(positions.count()).toBe(sorted.length);
        expect(positions.highest()).toBe(sorted.at(-1) ?? 0);
        expect(Positions.parse(positions.multirange()).all()).toEqual(positions.all());
      }),
    );
  });

  it('answers what another one lacks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 })),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (mine, others) => {
          const rest = positionsOf(...mine).without(positionsOf(...others));
          const expected = positionsOf(...mine.filter((pos) => !others.includes(pos)));
          expect(rest).toEqual(expected.all());
        },
      ),
    );
  });
});
