import { describe, it } from '@jest/globals';
import type { PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type PolicySetCommand, type PolicySetEvent, policySetDecider } from './policy-set.js';

const given = givenFor(policySetDecider);
const test = { name: 'pays' } as PolicyTest;
const first = {
  policySetId: 'pol_1',
  policies: 'permit',
  schema: 'entity',
  digest: 'sha-256:1',
  note: 'the first',
  tests: [test],
  restoredPolicySetId: '',
};
const second = {
  policySetId: 'pol_2',
  policies: 'forbid',
  schema: 'entity',
  digest: 'sha-256:2',
  note: 'stricter',
  tests: [],
  restoredPolicySetId: '',
};
const apply = (set: typeof first): PolicySetCommand => ({ type: 'ApplyPolicySet', ...set });
const applied = (set: typeof first, version: number): PolicySetEvent => ({
  type: 'PolicySetApplied',
  data: { ...set, version },
});

describe('a policy set', () => {
  it('becomes version 1 when it is the first', () => given().when(apply(first)).then(applied(first, 1)));
  it('follows the one before without a gap', () =>
    given(applied(first, 1)).when(apply(second)).then(applied(second, 2)));
  it('changes nothing when the same texts are active already', () =>
    given(applied(first, 1))
      .when(apply({ ...first, policySetId: 'pol_9' }))
      .thenNothing());
  it('can come back after another was active', () =>
    given(applied(first, 1), applied(second, 2))
      .when(apply({ ...first, policySetId: 'pol_3' }))
      .then(applied({ ...first, policySetId: 'pol_3' }, 3)));
  it('that is brought back is a new version that says which it was', () => {
    const again = { ...first, policySetId: 'pol_3', restoredPolicySetId: 'pol_1' };
    return given(applied(first, 1), applied(second, 2)).when(apply(again)).then(applied(again, 3));
  });
});
