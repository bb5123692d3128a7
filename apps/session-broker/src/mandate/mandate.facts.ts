import { MandateGranted, MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import type { Facts } from '@writ/event-store';
import type { MandateEvent } from './mandate.js';

export const mandateFacts: Facts<MandateEvent> = { MandateGranted, MandateRevoked };
