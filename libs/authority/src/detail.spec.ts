import { describe, expect, it } from '@jest/globals';
import { Refusal } from '@writ/kernel';
import fc from 'fast-check';
import { detail } from '../test/arbitrary.js';
import { detailJson, parseDetail, parseDetails } from './detail.js';

const payment = {
  type: 'payment',
  actions: ['pay'],
  locations: ['https://erp.example/*'],
  identifier: 'invoices/*',
  constraints: {
    amountMax: { currency: 'EUR', value: '5000.00' },
    fields: [{ name: 'env', oneOf: ['prod'] }],
  },
};

function badFields(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (
      error instanceof Refusal &&
      error.code === 'AUTHORIZATION_DETAILS_INVALID' &&
      error.kind === 'invalid'
    )
      return error.fields.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe('an authorization detail', () => {
  it('keeps what it says, amounts exactly', () =>
    expect(parseDetail(payment)).toEqual({
      ...payment,
      constraints: { ...payment.constraints, amountMax: { currency: 'EUR', units: 50_000_000n } },
    }));

  it('survives the wire', () =>
    fc.assert(
      fc.property(detail, (each) => {
        const wire: unknown = JSON.parse(JSON.stringify(detailJson(each)));
        expect(parseDetail(wire)).toEqual(each);
      }),
    ));

  it.each<[string, object, string]>([
    ['an unknown member', { scope: 'all' }, 'scope'],
    ['a type with capitals', { type: 'Payment' }, 'type'],
    ['a type of 65 characters', { type: 'a'.repeat(65) }, 'type'],
    ['no actions', { actions: undefined }, 'actions'],
    ['an empty list of actions', { actions: [] }, 'actions'],
    ['65 actions', { actions: Array.from({ length: 65 }, (_, index) => `a${index}`) }, 'actions'],
    ['a wildcard action', { actions: ['pay', '*'] }, 'actions[1]'],
    ['a wildcard within an action', { actions: ['tools/*'] }, 'actions[0]'],
    ['an action twice', { actions: ['pay', 'pay'] }, 'actions[1]'],
    ['an empty list of locations', { locations: [] }, 'locations'],
    ['a location that climbs', { locations: ['https://erp.example/../x'] }, 'locations[0]'],
    ['a bare wildcard', { identifier: '*' }, 'identifier'],
    ['a long identifier', { identifier: 'a'.repeat(513) }, 'identifier'],
    ['a wildcard data type', { datatypes: ['*'] }, 'datatypes[0]'],
    ['hidden text direction', { datatypes: ['a\u202Eb'] }, 'datatypes[0]'],
    ['a control character', { privileges: ['a\u0000'] }, 'privileges[0]'],
    ['a lone surrogate', { privileges: ['\uD800'] }, 'privileges[0]'],
    ['empty constraints', { constraints: {} }, 'constraints'],
    [
      'an unknown constraint',
      { constraints: { maxPerDay: 1, ...payment.constraints } },
      'constraints.maxPerDay',
    ],
    [
      'an amount as a number',
      { constraints: { amountMax: { currency: 'EUR', value: 5 } } },
      'constraints.amountMax.value',
    ],
    [
      'a field without values',
      { constraints: { fields: [{ name: 'env', oneOf: [] }] } },
      'constraints.fields[0].oneOf',
    ],
    [
      'a field twice',
      { constraints: { fields: [payment.constraints.fields[0], { name: 'env', oneOf: ['test'] }] } },
      'constraints.fields[1].name',
    ],
  ])('is refused with %s', (_, change, field) =>
    expect(badFields(() => parseDetail({ ...payment, ...change }))).toEqual([field]),
  );

  it.each([null, undefined, 'payment', 1, []])('is not %p', (json) =>
    expect(badFields(() => parseDetail(json))).toEqual(['']),
  );

  it('is refused with a member that only looks like a prototype', () =>
    expect(badFields(() => parseDetail(JSON.parse('{"type":"a","actions":["b"],"__proto__":{}}')))).toEqual([
      '__proto__',
    ]));

  it('takes no member from a prototype', () =>
    expect(badFields(() => parseDetail(Object.create(payment)))).toEqual(['type', 'actions']));
});

describe('authorization details', () => {
  it('name every bad field of every detail', () =>
    expect(badFields(() => parseDetails([payment, { ...payment, type: '', actions: [7] }, 5]))).toEqual([
      'authorization_details[1].type',
      'authorization_details[1].actions[0]',
      'authorization_details[2]',
    ]));

  it('are 1 to 32', () => {
    expect(parseDetails(Array(32).fill(payment))).toHaveLength(32);
    for (const json of [[], Array(33).fill(payment), payment])
      expect(badFields(() => parseDetails(json))).toEqual(['authorization_details']);
  });

  it('answer a flood of bad members with at most 64 of them', () => {
    const flood = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`x${index}`, 1]));
    expect(badFields(() => parseDetails([flood]))).toHaveLength(64);
  });
});
