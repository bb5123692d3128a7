import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Case, cases } from './cases.js';
import { compare } from './compared.js';
import { schemaCases } from './schema-cases.js';

/** Another seed asks other questions: `WRIT_TEST_SEED=2 npm test -- libs/cedar/test/differential`. */
const seed = Number(process.env.WRIT_TEST_SEED ?? 1);
const REQUESTS_EACH = 100;
const TIMEOUT_MS = 300_000;

/** Asks until a difference is found. It is told whole; making the case smaller would take minutes. */
function ask(arbitrary: fc.Arbitrary<Case>, numRuns: number) {
  const totals = { requests: 0, allowed: 0, refused: 0, errors: 0, byFallback: 0, otherWords: 0 };
  fc.assert(
    fc.property(arbitrary, (one) => {
      const { differing, messages, ...counts } = compare(one);
      totals.requests += one.requests.length;
      totals.otherWords += messages.size;
      for (const name of ['allowed', 'refused', 'errors', 'byFallback'] as const)
        totals[name] += counts[name];
      if (differing[0] !== undefined) throw new Error(differing[0]);
    }),
    { numRuns, seed, endOnFailure: true },
  );
  return totals;
}

/** A test that meets nothing but denials would prove little. */
function expectVariety({
  requests,
  allowed,
  refused,
  errors,
  byFallback,
  otherWords,
}: ReturnType<typeof ask>) {
  expect(allowed).toBeGreaterThan(requests / 20);
  expect(errors).toBeGreaterThan(requests / 20);
  expect(refused).toBeGreaterThan(requests / 200);
  expect(byFallback).toBe(0);
  expect(otherWords).toBeLessThan(errors / 100);
}

describe('compiled policies answer 100 000 questions as the reference does', () => {
  it(
    'where anything may be anything',
    () => {
      const totals = ask(cases(REQUESTS_EACH), 540);
      expect(totals.requests).toBe(54_000);
      expectVariety(totals);
    },
    TIMEOUT_MS,
  );

  it(
    'where a schema says what fits and something does not',
    () => {
      const totals = ask(schemaCases(REQUESTS_EACH), 480);
      expect(totals.requests).toBe(48_000);
      expectVariety(totals);
    },
    TIMEOUT_MS,
  );
});
