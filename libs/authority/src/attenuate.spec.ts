import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  actionsNear,
  detail,
  details,
  grant,
  limits,
  money,
  nearDetail,
  nearLimits,
} from '../test/arbitrary.js';
import {
  detailIsNarrower,
  detailsAreNarrower,
  isDelegable,
  isNarrower,
  limitsAreNarrower,
} from './attenuate.js';
import { parseDetail } from './detail.js';
import type { Grant } from './grant.js';
import { consume, nothingUsed } from './limits.js';
import { covers, firstCover } from './match.js';
import { parseMoney } from './money.js';

const eur = (value: string) => parseMoney({ currency: 'EUR', value });
const payment = {
  type: 'payment',
  actions: ['pay', 'refund'],
  locations: ['https://erp.example/*'],
  identifier: 'invoices/*',
  datatypes: ['bank', 'name'],
  privileges: ['reader'],
  constraints: {
    amountMax: { currency: 'EUR', value: '5000' },
    fields: [{ name: 'env', oneOf: ['prod', 'test'] }],
  },
};
const parent: Grant = {
  purpose: 'September supplier run',
  details: [parseDetail(payment)],
  limits: { amountTotal: eur('20000'), amountEach: eur('5000'), callsTotal: 10 },
  expiresAt: new Date('2026-09-30T12:00:00Z'),
  maxDepth: 2,
};

/** The law must have been tried, not only stated. */
function holdsOften(atLeast: number, check: (tried: () => void) => void): void {
  let count = 0;
  check(() => {
    count += 1;
  });
  expect(count).toBeGreaterThan(atLeast);
}

describe('attenuation', () => {
  it('never widens: what a narrower detail covers, the wider one covers too', () =>
    holdsOften(100, (tried) =>
      fc.assert(
        fc.property(
          detail.chain((wide) =>
            nearDetail(wide).chain((narrow) => fc.tuple(fc.constant([wide, narrow]), actionsNear(narrow))),
          ),
          ([[wide, narrow], actions]) => {
            if (detailIsNarrower(narrow!, wide!) !== true) return;
            for (const each of actions)
              if (covers(narrow!, each) === true) {
                tried();
                expect(covers(wide!, each)).toBe(true);
              }
          },
        ),
        { numRuns: 3000 },
      ),
    ));

  it('never widens: what narrower details cover, the wider ones cover too', () =>
    holdsOften(100, (tried) =>
      fc.assert(
        fc.property(
          details.chain((wide) =>
            fc
              .tuple(nearDetail(wide[0]!), nearDetail(wide.at(-1)!))
              .chain((narrow) => fc.tuple(fc.constant({ wide, narrow }), actionsNear(narrow[0]))),
          ),
          ([{ wide, narrow }, actions]) => {
            if (detailsAreNarrower(narrow, wide) !== true) return;
            for (const each of actions)
              if ('detail' in firstCover(narrow, each)) {
                tried();
                expect(firstCover(wide, each)).toHaveProperty('detail');
              }
          },
        ),
        { numRuns: 3000 },
      ),
    ));

  it('never widens: what narrower limits give, the wider ones give too', () =>
    holdsOften(100, (tried) =>
      fc.assert(
        fc.property(
          limits.chain((wide) => fc.tuple(fc.constant(wide), nearLimits(wide))),
          fc.array(money),
          ([wide, narrow], amounts) => {
            if (limitsAreNarrower(narrow, wide) !== true) return;
            let [usage, usageOfWide] = [nothingUsed, nothingUsed];
            for (const amount of amounts) {
              const answer = consume(narrow, usage, { amount, calls: 1 });
              if ('overuse' in answer) continue;
              tried();
              const answerOfWide = consume(wide, usageOfWide, { amount, calls: 1 });
              expect(answerOfWide).toHaveProperty('usage');
              usage = answer.usage;
              if ('usage' in answerOfWide) usageOfWide = answerOfWide.usage;
            }
          },
        ),
        { numRuns: 3000 },
      ),
    ));

  it('is reflexive', () =>
    fc.assert(fc.property(grant, (each) => expect(isNarrower(each, each)).toBe(true))));

  it('is transitive', () =>
    holdsOften(100, (tried) =>
      fc.assert(
        fc.property(
          detail.chain((a) => nearDetail(a).chain((b) => fc.tuple(fc.constant([a, b]), nearDetail(b)))),
          ([[a, b], c]) => {
            if (detailIsNarrower(b!, a!) !== true || detailIsNarrower(c, b!) !== true) return;
            tried();
            expect(detailIsNarrower(c, a!)).toBe(true);
          },
        ),
        { numRuns: 3000 },
      ),
    ));
});

describe('a delegation', () => {
  const child = (change: object): Grant => ({
    ...parent,
    maxDepth: 1,
    details: [parseDetail({ ...payment, ...change })],
  });
  const { constraints } = payment;

  it.each<[string, object]>([
    ['fewer actions', { actions: ['pay'] }],
    ['one place below', { identifier: 'invoices/7' }],
    ['a smaller part', { locations: ['https://erp.example/v1/*'] }],
    ['a lower amount', { constraints: { ...constraints, amountMax: { currency: 'EUR', value: '1' } } }],
    [
      'fewer attribute values',
      { constraints: { ...constraints, fields: [{ name: 'env', oneOf: ['test'] }] } },
    ],
    [
      'one more constraint',
      { constraints: { ...constraints, fields: [...constraints.fields, { name: 'team', oneOf: ['x'] }] } },
    ],
  ])('may have %s', (_, change) => expect(isDelegable(child(change), parent)).toBe(true));

  it.each<[string, object, string]>([
    ['another type', { type: 'database' }, 'TYPE'],
    ['one more action', { actions: ['pay', 'approve'] }, 'ACTION'],
    ['any location', { locations: undefined }, 'LOCATION'],
    ['one more location', { locations: ['https://erp.example/v1', 'https://bank.example/v1'] }, 'LOCATION'],
    ['any identifier', { identifier: undefined }, 'IDENTIFIER'],
    ['the collection itself', { identifier: 'invoices' }, 'IDENTIFIER'],
    ['any data type', { datatypes: undefined }, 'DATATYPE'],
    ['one more data type', { datatypes: ['bank', 'health'] }, 'DATATYPE'],
    ['any privilege', { privileges: undefined }, 'PRIVILEGE'],
    ['no constraints', { constraints: undefined }, 'CONSTRAINT'],
    [
      'one more attribute value',
      { constraints: { ...constraints, fields: [{ name: 'env', oneOf: ['dev'] }] } },
      'CONSTRAINT',
    ],
    ['no maximum', { constraints: { fields: constraints.fields } }, 'AMOUNT'],
    [
      'a higher maximum',
      { constraints: { ...constraints, amountMax: { currency: 'EUR', value: '5000.0001' } } },
      'AMOUNT',
    ],
    [
      'another currency',
      { constraints: { ...constraints, amountMax: { currency: 'USD', value: '1' } } },
      'AMOUNT',
    ],
  ])('cannot have %s', (_, change, reason) =>
    expect(isDelegable(child(change), parent)).toHaveProperty('reason', reason),
  );

  it.each<[string, Partial<Grant>, string]>([
    ['another purpose', { purpose: 'september supplier run' }, 'PURPOSE'],
    ['a later expiry', { expiresAt: new Date('2026-09-30T12:00:00.001Z') }, 'EXPIRY'],
    ['an expiry that is no date', { expiresAt: new Date('never') }, 'EXPIRY'],
    ['the depth of its parent', { maxDepth: 2 }, 'DEPTH'],
    ['a depth that is no number', { maxDepth: Number.NaN }, 'DEPTH'],
    ['no limits', { limits: {} }, 'LIMIT'],
    ['a higher total', { limits: { ...parent.limits, amountTotal: eur('20000.01') } }, 'LIMIT'],
    ['no maximum each', { limits: { ...parent.limits, amountEach: undefined } }, 'LIMIT'],
    ['more calls', { limits: { ...parent.limits, callsTotal: 11 } }, 'LIMIT'],
    ['no limit on calls', { limits: { ...parent.limits, callsTotal: undefined } }, 'LIMIT'],
  ])('cannot have %s', (_, change, reason) =>
    expect(isDelegable({ ...child({}), ...change }, parent)).toHaveProperty('reason', reason),
  );

  it('cannot hang below a grant without depth', () =>
    expect(isDelegable({ ...parent, maxDepth: 0 }, { ...parent, maxDepth: 0 })).toHaveProperty(
      'reason',
      'DEPTH',
    ));

  it('cannot be put together from parts of several details', () => {
    const [read, write] = ['read', 'write'].map((verb) => ({ type: 'database', actions: [verb] }));
    const both = { type: 'database', actions: ['read', 'write'] };
    expect(detailsAreNarrower([both], [read!, write!])).toHaveProperty('reason', 'ACTION');
    expect(detailsAreNarrower([read!, write!], [both])).toBe(true);
  });
});
