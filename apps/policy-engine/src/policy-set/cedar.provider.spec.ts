import { describe, expect, it } from '@jest/globals';
import { comparedCedar, HeardEvaluations } from '../../test/cedar.js';
import type { PolicyRequest } from '../decision/policy-request.js';
import { policyLanguageContract, request, schema } from './policies.provider.contract.js';

policyLanguageContract('Cedar, compiled and compared', comparedCedar);

const permit = (condition: string) =>
  `@id("p") permit (principal, action == Action::"payment:pay", resource) when { ${condition} };`;

function asked(policies: string, change: Partial<PolicyRequest['context']> = {}) {
  const heard = new HeardEvaluations();
  const set = comparedCedar(heard).compile({ policies, schema, policySetId: 'pol_1', version: 1 });
  return { heard, answer: set.answer({ ...request, context: { ...request.context, ...change } }) };
}

describe('Cedar, compiled', () => {
  it('is compared with its reference at every question of these specs', () => {
    const { heard } = asked(permit('context.trust > 50'));
    expect(heard).toEqual({ causes: ['sample'], differences: [] });
  });
  it('leaves to the reference, and counts, what the compiler does not take', () => {
    // A text that looks like a marked integer, beside an integer that has to be marked.
    const policies = permit('"writ-long-integer:1" != "" && 9007199254740993 > context.trust');
    const { heard, answer } = asked(policies);
    expect(answer).toEqual({ decision: 'allow', policyIds: ['p'], errors: [] });
    expect(heard).toEqual({ causes: ['not_compiled', 'sample'], differences: [] });
  });
  it('takes no offence at an amount that does not fit, where no policy of the action reads it', () => {
    const other = `@id("q") permit (principal, action == Action::"payment:read", resource);
      @id("r") permit (principal, action == Action::"payment:void", resource) when { context.amount.lessThan(decimal("1.0")) };`;
    expect(asked(`${permit('true')} ${other}`, { amount: '999999999999999999.99' }).answer).toEqual({
      decision: 'allow',
      policyIds: ['p'],
      errors: [],
    });
  });
  it('refuses a policy that its reference could not hold', () => {
    const deep = permit(`${'('.repeat(65)}true${')'.repeat(65)}`);
    expect(comparedCedar().problems({ policies: deep, schema })).toEqual([
      expect.objectContaining({
        field: 'policies',
        line: 1,
        message: expect.stringContaining('nest deeper'),
      }),
    ]);
  });
});
