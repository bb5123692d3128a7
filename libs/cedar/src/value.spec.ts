import { describe, expect, it } from '@jest/globals';
import { parseDecimal } from './decimal.js';
import { EntityUid } from './entity-uid.js';
import { add, longOf, multiply, negate, subtract } from './integer.js';
import { compilePattern, type PatternStep } from './pattern.js';
import { CedarRecord, CedarSet, equal, keyOf, type Value } from './value.js';

const max = longOf(2n ** 63n - 1n) as bigint;
const min = longOf(-(2n ** 63n)) as bigint;

describe('an integer', () => {
  it('is exact beyond 2^53', () => expect(add(2 ** 53 - 1, 2)).toBe(2n ** 53n + 1n));
  it('is a number again below', () => expect(subtract(2n ** 53n, 1)).toBe(2 ** 53 - 1));
  it('is never -0', () => expect(Object.is(multiply(0, -5), 0) && Object.is(negate(0), 0)).toBe(true));
  it.each([
    ['add', () => add(max, 1)],
    ['subtract', () => subtract(min, 1)],
    ['multiply', () => multiply(3_037_000_500, 3_037_000_500)],
    ['negate', () => negate(min)],
  ])('that overflows is an error: %s', (verb, compute) => {
    expect(compute).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`to ${verb} the value`) }),
    );
  });
});

describe('equality', () => {
  const set = (...elements: Value[]) => CedarSet.of(elements);
  const record = (attributes: Record<string, Value>) => new CedarRecord(new Map(Object.entries(attributes)));
  const many = Array.from({ length: 20 }, (_, n) => n);
  it.each<[string, Value, Value, boolean]>([
    ['sets in another order', set(1, 2), set(2, 1, 1), true],
    ['large sets in another order', set(...many), set(...many.toReversed()), true],
    ['a set and a larger one', set(1), set(1, 2), false],
    ['nested sets', set(set(1), set()), set(set(), set(1)), true],
    ['records in another order', record({ a: 1, b: 'x' }), record({ b: 'x', a: 1 }), true],
    ['records with other names', record({ a: 1 }), record({ b: 1 }), false],
    ['a text and an integer', '1', 1, false],
    ['texts that look like joined ones', set('a', 'b'), set('ab', ''), false],
    ['entities of one name in two namespaces', new EntityUid('A', 'B::c'), new EntityUid('A::B', 'c'), false],
    ['decimals written differently', parseDecimal('1.0'), parseDecimal('1.00'), true],
    ['a decimal and its ten-thousandths', parseDecimal('1.0'), 10_000, false],
    ['integers beyond 2^53', max, longOf(2n ** 63n - 2n) as bigint, false],
  ])('of %s', (_what, left, right, expected) => {
    expect(equal(left, right)).toBe(expected);
    expect(keyOf(left) === keyOf(right)).toBe(expected);
  });
});

describe('a pattern', () => {
  const steps = (text: string) =>
    [...text].map((one): PatternStep => (one === '*' ? 'Wildcard' : { Literal: one }));
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['a*b', 'ab', true],
    ['a*a', 'a', false],
    ['*ab*ab*', 'abab', true],
    ['*ab*ab*', 'abb', false],
    ['ab*ba', 'aba', false],
    ['*😀', 'a😀', true],
  ])('%j matches %j: %s', (pattern, text, expected) =>
    expect(compilePattern(steps(pattern))(text)).toBe(expected),
  );

  it('made to take long does not', () => {
    const bomb = compilePattern(steps(`${'*a'.repeat(500)}*b`));
    expect(bomb('a'.repeat(100_000))).toBe(false);
  });
});
