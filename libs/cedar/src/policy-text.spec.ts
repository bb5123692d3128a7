import { describe, expect, it } from '@jest/globals';
import { partsOf, schemaNesting } from './policy-text.js';

const texts = (text: string) => partsOf(text).map((part) => part.text);

describe('a text of policies', () => {
  it('is taken apart at its semicolons', () =>
    expect(texts('permit(a);\nforbid(b);')).toEqual(['permit(a);', 'forbid(b);']));
  it('may have semicolons, quotes and slashes in texts and comments', () =>
    expect(texts('a // ; "\n "x;\\";" "//";b;')).toEqual(['a // ; "\n "x;\\";" "//";', 'b;']));
  it('may end in a comment', () => expect(texts('a; // the end')).toEqual(['a;']));
  it('starts where the policy does', () =>
    expect(partsOf(' // a\n b; c;').map(({ at }) => at)).toEqual([7, 10]));
  it('shows what stands behind the last semicolon', () => expect(texts('a; b')).toEqual(['a;', 'b']));
  it('shows a text that does not end', () => expect(texts('a "b;')).toEqual(['a "b;']));

  it('tells templates by their slots', () =>
    expect(partsOf('a ?principal; b "?principal"; // ?resource').map(({ isTemplate }) => isTemplate)).toEqual(
      [true, false],
    ));
  it('tells how deep brackets nest', () =>
    expect(partsOf('([{}]); () "((((" ;').map(({ nesting }) => nesting)).toEqual([3, 1]));
  it('weighs operators', () => expect(partsOf('a.b + if x && y;')[0]?.weight).toBe(5.5));

  it.each([
    ['9007199254740991', 0],
    ['9007199254740993', 1],
    ['"9007199254740993"', 0],
    ['a9007199254740993', 0],
    ['0000000000000000001', 0],
    ['-9223372036854775808 + 9223372036854775807', 2],
  ])('%s has so many integers that a number cannot hold: %s', (text, count) =>
    expect(partsOf(text)[0]?.longIntegers).toHaveLength(count),
  );
});

describe('a schema', () => {
  it('nests by angle brackets too', () =>
    expect(schemaNesting('entity A { a: Set<Set<{ b: Long }>> };')).toBe(4));
});
