import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Case, cases } from './cases.js';
import { compare } from './compared.js';
import { schemaCases } from './schema-cases.js';

const REQUESTS_EACH = 100;

function run(name: string, arbitrary: fc.Arbitrary<Case>, numRuns: number) {
  const totals = { requests: 0, allowed: 0, refused: 0, errors: 0, byFallback: 0 };
  const messages = new Map<string, string>();
  fc.assert(
    fc.property(arbitrary, (one) => {
      const { differing, ...counts } = compare(one);
      totals.requests += one.requests.length;
      for (const key of ['allowed', 'refused', 'errors', 'byFallback'] as const) totals[key] += counts[key];
      for (const [theirs, ours] of counts.messages) messages.set(theirs, ours);
      if (differing[0] !== undefined) throw new Error(differing[0]);
    }),
    { numRuns, seed: Number(process.env.SEED ?? 1) },
  );
  console.log(name, JSON.stringify(totals), messages.size);
  if (process.env.MESSAGES) console.log([...messages].slice(0, 60));
  return totals;
}

describe('compiled policies answer as the reference does', () => {
  it('for anything without a schema', () => {
    const totals = run('without schema', cases(REQUESTS_EACH), Number(process.env.RUNS ?? 100));
    expect(totals.requests).toBeGreaterThan(0);
  });
  it('for what a schema admits and refuses', () => {
    const totals = run('with a schema', schemaCases(REQUESTS_EACH), Number(process.env.RUNS ?? 100));
    expect(totals.requests).toBeGreaterThan(0);
  });
});
