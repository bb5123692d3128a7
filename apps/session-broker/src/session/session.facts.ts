import { SessionEnded, SessionOpened, TokenIssued } from '@writ/contracts/writ/session/v1/session_facts.js';
import type { Facts } from '@writ/event-store';
import type { SessionEvent } from './session.js';

export const sessionFacts: Facts<SessionEvent> = { SessionOpened, TokenIssued, SessionEnded };
