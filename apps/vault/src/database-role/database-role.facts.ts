import { DatabaseRoleDefined } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import type { Facts } from '@writ/event-store';
import type { DatabaseRoleEvent } from './database-role.js';

export const databaseRoleFacts: Facts<DatabaseRoleEvent> = { DatabaseRoleDefined };
