import { DelegationMade, DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import type { Facts } from '@writ/event-store';
import type { DelegationEvent } from './delegation.js';

export const delegationFacts: Facts<DelegationEvent> = { DelegationMade, DelegationRevoked };
