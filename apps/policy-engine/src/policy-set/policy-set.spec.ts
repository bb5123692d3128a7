import { describe, it } from '@jest/globals';
import { givenFor } from '@writ/testing/decider.js';
import { type PolicySetCommand, type PolicySetEvent, policySetDecider } from './policy-set.js';

const given = givenFor(policySetDecider);
const first = {
  policySetId: 'pol_1',
  policies: 'permit',
  schema: 'entity',
  digest: 'sha-256:1',
  note: 'the first',
};
const second = {
  policySetId: 'pol_2',
  policies: 'forbid',
  schema: 'entity',
  digest: 'sha-256:2',
  note: 'stricter',
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
});
