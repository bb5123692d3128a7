import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addMoney, compareMoney, formatMoney, isAtMost, moneyJson, parseMoney } from './money.js';

const eur = (value: string) => parseMoney({ currency: 'EUR', value });

describe('money', () => {
  it.each([
    ['1200', '1200 EUR'],
    ['1200.5', '1200.50 EUR'],
    ['1200.50', '1200.50 EUR'],
    ['1200.00', '1200 EUR'],
    ['0.0001', '0.0001 EUR'],
    ['0', '0 EUR'],
    ['999999999999999999.9999', '999999999999999999.9999 EUR'],
  ])('%s reads as %s', (value, shown) => expect(formatMoney(eur(value))).toBe(shown));

  it.each([
    1200,
    12.5,
    '',
    '-1',
    '+1',
    '1e3',
    '1.',
    '.5',
    '01',
    '1.00001',
    '1,5',
    ' 1',
    '1 ',
    '0x1',
    'NaN',
    '١',
    null,
  ])('is not %p', (value) =>
    expect(() => parseMoney({ currency: 'EUR', value })).toThrow('is not an amount of money'),
  );

  it('has at most 18 digits before the point', () => expect(() => eur('1000000000000000000')).toThrow());

  it.each(['eur', 'EU', 'EURO', '€', ''])('has no currency %p', (currency) =>
    expect(() => parseMoney({ currency, value: '1' })).toThrow('is not an amount of money'),
  );

  it('names every bad field', () => {
    const read = () => parseMoney({ currency: 'eur', value: 1, sign: '-' }, 'limits.amountTotal');
    expect(read).toThrow(
      expect.objectContaining({
        code: 'MONEY_INVALID',
        kind: 'invalid',
        fields: [
          expect.objectContaining({ field: 'limits.amountTotal.sign' }),
          expect.objectContaining({ field: 'limits.amountTotal.currency' }),
          expect.objectContaining({ field: 'limits.amountTotal.value' }),
        ],
      }),
    );
  });

  it('adds and compares exactly', () => {
    const units = fc.bigInt({ min: 0n, max: 10n ** 21n });
    fc.assert(
      fc.property(units, units, (a, b) => {
        const [x, y] = [a, b].map((each) => ({ currency: 'EUR', units: each })) as [Money, Money];
        expect(addMoney(x, y).units).toBe(a + b);
        expect(compareMoney(addMoney(x, y), x)).toBe(b === 0n ? 0 : 1);
        expect(parseMoney(moneyJson(x))).toEqual(x);
      }),
    );
  });

  it('of another currency is never within a maximum and never added', () => {
    const dollar = parseMoney({ currency: 'USD', value: '1' });
    expect(isAtMost(dollar, eur('5'))).toBe(false);
    expect(() => addMoney(dollar, eur('5'))).toThrow('cannot be reckoned together');
    expect(() => compareMoney(dollar, eur('5'))).toThrow('cannot be reckoned together');
  });
});

type Money = ReturnType<typeof parseMoney>;
