import {
  SecretCreated,
  SecretVersionAdded,
  SecretVersionDestroyed,
} from '@writ/contracts/writ/vault/v1/secret_facts.js';
import type { Facts } from '@writ/event-store';
import type { SecretEvent } from './secret.js';

export const secretFacts: Facts<SecretEvent> = { SecretCreated, SecretVersionAdded, SecretVersionDestroyed };
