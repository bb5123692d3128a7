import { describe, expect, it } from '@jest/globals';
import { canonicalJson } from '@writ/kernel';
import fc from 'fast-check';
import { action } from '../test/arbitrary.js';
import { actionJson, parseAction } from './action.js';

const pay = {
  type: 'payment',
  name: 'pay',
  identifier: 'invoices/7',
  datatypes: ['bank', 'name'],
  amount: { currency: 'EUR', value: '1200' },
  attributes: { supplier: 'S-1', lines: 3, urgent: false },
};
const canonical = (json: unknown) => canonicalJson(actionJson(parseAction(json)));

describe('an action', () => {
  it('has one canonical form, however it was spelt', () => {
    const other = {
      attributes: { urgent: false, lines: 3, supplier: 'S-1' },
      amount: { value: '1200.00', currency: 'EUR' },
      datatypes: ['name', 'bank'],
      identifier: 'invoices/7',
      name: 'pay',
      type: 'payment',
    };
    expect(canonical(other)).toBe(canonical(pay));
    expect(canonical(pay)).toBe(
      '{"amount":{"currency":"EUR","value":"1200"},"attributes":{"lines":3,"supplier":"S-1","urgent":false},' +
        '"datatypes":["bank","name"],"identifier":"invoices/7","name":"pay","type":"payment"}',
    );
  });

  it('parses back from its canonical form to the same canonical form', () =>
    fc.assert(
      fc.property(action, (each) => {
        const text = canonicalJson(actionJson(each));
        expect(canonical(JSON.parse(text))).toBe(text);
      }),
    ));

  it.each<[string, object]>([
    ['amount', { amount: { currency: 'EUR', value: '1200.01' } }],
    ['currency', { amount: { currency: 'USD', value: '1200' } }],
    ['identifier', { identifier: 'invoices/8' }],
    ['attribute', { attributes: { ...pay.attributes, lines: '3' } }],
    ['verb', { name: 'refund' }],
  ])('with another %s is another action', (_, change) =>
    expect(canonical({ ...pay, ...change })).not.toBe(canonical(pay)),
  );

  it.each<[string, object, string]>([
    ['a wildcard identifier', { identifier: 'invoices/*' }, 'action.identifier'],
    ['a location that climbs', { location: 'https://erp.example/../x' }, 'action.location'],
    ['an empty identifier', { identifier: '' }, 'action.identifier'],
    ['an unknown member', { amountMax: 1 }, 'action.amountMax'],
    ['no verb', { name: undefined }, 'action.name'],
    ['a fraction', { attributes: { rate: 1.5 } }, 'action.attributes.rate'],
    ['an integer beyond 2^53', { attributes: { n: 2 ** 53 } }, 'action.attributes.n'],
    ['a nested attribute', { attributes: { deep: { a: 1 } } }, 'action.attributes.deep'],
    ['an odd attribute name', { attributes: { 'a b': 1 } }, 'action.attributes.a b'],
    [
      'a prototype as attribute',
      { attributes: JSON.parse('{"__proto__":1}') },
      'action.attributes.__proto__',
    ],
    ['attributes as a list', { attributes: [1] }, 'action.attributes'],
    [
      '65 attributes',
      { attributes: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, 1])) },
      'action.attributes',
    ],
  ])('is refused with %s', (_, change, field) =>
    expect(() => parseAction({ ...pay, ...change })).toThrow(
      expect.objectContaining({
        code: 'ACTION_INVALID',
        kind: 'invalid',
        fields: [expect.objectContaining({ field })],
      }),
    ),
  );
});
