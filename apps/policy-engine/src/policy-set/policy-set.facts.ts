import { PolicySetApplied } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import type { Facts } from '@writ/event-store';
import type { PolicySetEvent } from './policy-set.js';

export const policySetFacts: Facts<PolicySetEvent> = { PolicySetApplied };
