import { SigningKeyAdded, SigningKeyRetired } from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import type { Facts } from '@writ/event-store';
import type { SigningKeyEvent } from './signing-key.js';

export const signingKeyFacts: Facts<SigningKeyEvent> = { SigningKeyAdded, SigningKeyRetired };
