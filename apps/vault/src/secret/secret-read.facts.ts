import { SecretRead } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import type { Facts } from '@writ/event-store';
import type { SecretReadEvent } from './secret-read.js';

export const secretReadFacts: Facts<SecretReadEvent> = { SecretRead };
