import type { Action, AuthorizationDetail, Grant, Limits, Money } from '@writ/authority';
import fc from 'fast-check';

// Few words each, so that what is drawn often meets.
const places = ['a', 'a/b', 'a/b/c', 'ab/c', 'd'];
const patterns = [...places, 'a/*', 'a/b/*', 'ab/*'];
const datatypes = ['bank', 'name'];
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const some = (items: readonly string[]) => fc.subarray([...items], { minLength: 1 });

export const money: fc.Arbitrary<Money> = fc.record({
  currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'USD'),
  units: fc.bigInt({ min: 0n, max: 9n }),
});

export const detail: fc.Arbitrary<AuthorizationDetail> = fc.record(
  {
    type: fc.constantFrom('database', 'payment'),
    actions: some(['read', 'pay']),
    locations: some(patterns),
    datatypes: some(datatypes),
    identifier: fc.constantFrom(...patterns),
    privileges: some(['reader', 'writer']),
    constraints: fc.oneof(
      fc.record({ amountMax: money }),
      fc.record({
        fields: fc.tuple(fc.record({ name: fc.constantFrom('env', 'team'), oneOf: some(['x', '1']) })),
      }),
    ),
  },
  { requiredKeys: ['type', 'actions'] },
);

export const details = fc.array(detail, { minLength: 1, maxLength: 4 });

export const action: fc.Arbitrary<Action> = fc.record({
  type: fc.constantFrom('database', 'payment'),
  name: fc.constantFrom('read', 'pay'),
  location: optional(fc.constantFrom(...places)),
  identifier: optional(fc.constantFrom(...places)),
  datatypes: optional(some(datatypes)),
  amount: optional(money),
  attributes: fc.dictionary(fc.constantFrom('env', 'team'), fc.constantFrom('x', 1, true), { maxKeys: 2 }),
});

export const limits: fc.Arbitrary<Limits> = fc.record(
  { amountTotal: money, amountEach: money, callsTotal: fc.integer({ min: 1, max: 4 }) },
  { requiredKeys: [] },
);

export const grant: fc.Arbitrary<Grant> = fc.record({
  purpose: fc.constantFrom('run', 'run', 'audit'),
  details: fc.array(detail, { minLength: 1, maxLength: 2 }),
  limits,
  expiresAt: fc.integer({ min: 1, max: 3 }).map((ms) => new Date(ms)),
  maxDepth: fc.integer({ min: 0, max: 2 }),
});

/**
 * Each member of the second in place of the first's, or not: what comes out often lies within the first,
 * not always.
 */
function mixed<T extends object>(first: T, second: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.tuple(second, fc.infiniteStream(fc.integer({ min: 0, max: 3 }))).map(([other, chances]) => {
    const kept = Object.entries(first).filter(() => chances.next().value !== 0);
    return { ...other, ...Object.fromEntries(kept) };
  });
}

export function nearDetail(parent: AuthorizationDetail): fc.Arbitrary<AuthorizationDetail> {
  return mixed(parent, detail);
}

export function nearLimits(parent: Limits): fc.Arbitrary<Limits> {
  return mixed(parent, limits);
}

/** Actions of which a detail often covers one. */
export function actionsNear({
  type,
  actions,
  datatypes: covered,
}: AuthorizationDetail): fc.Arbitrary<Action[]> {
  const near = fc.record({
    type: fc.constant(type),
    name: fc.constantFrom(...actions),
    location: fc.constantFrom(...places),
    identifier: fc.constantFrom(...places),
    datatypes: some(covered ?? datatypes),
    amount: optional(money),
    attributes: fc.record({ env: fc.constantFrom('x', 1), team: fc.constantFrom('x', 1) }),
  });
  return fc.array(near, { minLength: 10, maxLength: 10 });
}
