import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits as anyLimits, money } from '../test/arbitrary.js';
import { consume, nothingUsed, parseLimits, type Usage } from './limits.js';
import { parseMoney } from './money.js';

const eur = (value: string) => parseMoney({ currency: 'EUR', value });
const limits = { amountTotal: eur('20000'), amountEach: eur('5000'), callsTotal: 5 };

describe('limits', () => {
  it('count calls and amounts', () =>
    expect(consume(limits, { amount: eur('1200.50'), calls: 1 }, { amount: eur('0.50'), calls: 1 })).toEqual({
      usage: { amount: eur('1201'), calls: 2 },
    }));

  it('may be used up to the last unit, and not one more', () => {
    const used = { amount: eur('19999.9999'), calls: 0 };
    expect(consume(limits, used, { amount: eur('0.0001'), calls: 1 })).toHaveProperty(
      'usage.amount',
      eur('20000'),
    );
    expect(consume(limits, used, { amount: eur('0.0002'), calls: 1 })).toEqual({
      overuse: {
        reason: 'AMOUNT_TOTAL',
        message: '`19999.9999 EUR` of `20000 EUR` are used, `0.0002 EUR` more is too much',
      },
    });
  });

  it('hold for one action alone', () =>
    expect(consume(limits, nothingUsed, { amount: eur('5000.0001'), calls: 1 })).toHaveProperty(
      'overuse.reason',
      'AMOUNT_EACH',
    ));

  it('hold for the number of calls', () =>
    expect(consume(limits, { calls: 5 }, { calls: 1 })).toEqual({
      overuse: { reason: 'CALLS_TOTAL', message: '`5` of `5` calls are used' },
    }));

  it('do not count another currency', () => {
    const use = { amount: parseMoney({ currency: 'USD', value: '1' }), calls: 1 };
    expect(consume({ amountTotal: eur('5') }, nothingUsed, use)).toHaveProperty(
      'overuse.reason',
      'AMOUNT_TOTAL',
    );
    expect(consume({ amountEach: eur('5') }, nothingUsed, use)).toHaveProperty(
      'overuse.reason',
      'AMOUNT_EACH',
    );
  });

  it.each([0, -1, 1.5, Number.NaN])('cannot be used by %p calls', (calls) =>
    expect(() => consume(limits, nothingUsed, { calls })).toThrow('calls'),
  );

  it('are never overdrawn, whatever is asked', () =>
    fc.assert(
      fc.property(anyLimits, fc.array(fc.option(money, { nil: undefined })), (each, amounts) => {
        let usage: Usage = nothingUsed;
        let allowed = 0n;
        for (const amount of amounts) {
          const answer = consume(each, usage, { amount, calls: 1 });
          if ('overuse' in answer) continue;
          usage = answer.usage;
          if (amount?.currency === each.amountTotal?.currency) allowed += amount?.units ?? 0n;
        }
        if (each.amountTotal) expect(allowed <= each.amountTotal.units).toBe(true);
        if (each.amountTotal) expect(usage.amount?.units ?? 0n).toBe(allowed);
        expect(usage.calls <= (each.callsTotal ?? amounts.length)).toBe(true);
      }),
    ));

  it.each([
    [{ callsTotal: 0 }, 'limits.callsTotal'],
    [{ callsTotal: 2 ** 53 }, 'limits.callsTotal'],
    [{ amountEach: '5' }, 'limits.amountEach'],
    [{ perDay: 5 }, 'limits.perDay'],
  ])('are refused as %j', (json, field) =>
    expect(() => parseLimits(json)).toThrow(
      expect.objectContaining({ code: 'LIMITS_INVALID', fields: [expect.objectContaining({ field })] }),
    ),
  );
});
