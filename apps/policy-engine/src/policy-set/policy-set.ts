import type { PolicySetApplied, PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { type Decider, unreachable } from '@writ/kernel';

export type PolicySetEvent = { type: 'PolicySetApplied'; data: PolicySetApplied };

/** The set was validated and tested before: whether text is Cedar is not a rule of ours. */
export type PolicySetCommand = {
  readonly type: 'ApplyPolicySet';
  /** Fresh; not used when the same texts are active already. */
  readonly policySetId: string;
  readonly policies: string;
  readonly schema: string;
  readonly tests: readonly PolicyTest[];
  /** `sha-256:…` over all three. */
  readonly digest: string;
  readonly note: string;
  /** The earlier set that is brought back; empty when the texts are new. */
  readonly restoredPolicySetId: string;
};

/** The one policy set that is active. */
export interface ActivePolicySet {
  /** Empty when none was ever applied. */
  readonly policySetId: string;
  /** From 1, without gaps; 0 when none was ever applied. */
  readonly version: number;
  readonly digest: string;
}

/** All policy sets are one stream: each follows the one before, so that two people never apply at once unseen. */
export const POLICY_SET_STREAM = 'policy-set-active';

function decide(command: PolicySetCommand, active: ActivePolicySet): readonly PolicySetEvent[] {
  switch (command.type) {
    case 'ApplyPolicySet': {
      const { type: _type, tests, ...set } = command;
      if (set.digest === active.digest) return [];
      const version = active.version + 1;
      return [{ type: 'PolicySetApplied', data: { ...set, version, tests: [...tests] } }];
    }
    default:
      return unreachable(command.type);
  }
}

function evolve(_active: ActivePolicySet, event: PolicySetEvent): ActivePolicySet {
  switch (event.type) {
    case 'PolicySetApplied': {
      const { policySetId, version, digest } = event.data;
      return { policySetId, version, digest };
    }
    default:
      return unreachable(event.type);
  }
}

export const policySetDecider: Decider<ActivePolicySet, PolicySetCommand, PolicySetEvent> = {
  initialState: () => ({ policySetId: '', version: 0, digest: '' }),
  decide,
  evolve,
};
