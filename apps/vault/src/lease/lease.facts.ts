import {
  LeaseIssued,
  LeaseRenewed,
  LeaseRevocationFailed,
  LeaseRevocationStarted,
  LeaseRevoked,
} from '@writ/contracts/writ/vault/v1/lease_facts.js';
import type { Facts } from '@writ/event-store';
import type { LeaseEvent } from './lease.js';

export const leaseFacts: Facts<LeaseEvent> = {
  LeaseIssued,
  LeaseRenewed,
  LeaseRevocationStarted,
  LeaseRevocationFailed,
  LeaseRevoked,
};
