import { describe, expect, it } from '@jest/globals';
import { Positions } from './positions.js';

function positions(...runs: readonly (readonly [number, number])[]): Positions {
  const known = new Positions();
  for (const [from, upTo] of runs) known.add(from, upTo);
  return known;
}

describe('known positions', () => {
  it('nothing is known at first', () => {
    const known = new Positions();
    expect([known.completeTo, known.has(1)]).toEqual([0, false]);
  });
  it('are complete up to the last of an unbroken run from 1', () =>
    expect(positions([1, 3], [4, 4]).completeTo).toBe(4));
  it('that came early count for themselves only', () => {
    const known = positions([1, 3], [7, 8]);
    expect([known.completeTo, known.has(5), known.has(7)]).toEqual([3, false, true]);
  });
  it('close up when what was missing comes', () => {
    const known = positions([7, 8], [1, 3], [5, 6], [4, 4]);
    expect(known.completeTo).toBe(8);
  });
  it('may come twice and overlap', () => {
    const known = positions([2, 5], [1, 3], [2, 5], [4, 9]);
    expect(known.completeTo).toBe(9);
  });
  it('that begin later than 1 are not complete', () => {
    const known = positions([2, 5]);
    expect([known.completeTo, known.has(2)]).toEqual([0, true]);
  });
});
