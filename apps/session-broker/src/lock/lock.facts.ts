import { LockLifted, LockPlaced } from '@writ/contracts/writ/session/v1/lock_facts.js';
import type { Facts } from '@writ/event-store';
import type { LockEvent } from './lock.js';

export const lockFacts: Facts<LockEvent> = { LockPlaced, LockLifted };
