import { type ActionMessage, actionToMessage } from '@writ/authority';

/** Every lease is an action of this type. */
export const LEASE_TYPE = 'database';

/** What of a database role is part of the action that is decided, approved and recorded. */
export interface LentRole {
  readonly databaseRoleId: string;
  readonly displayName: string;
  readonly memberOf: readonly string[];
  readonly ttlSecondsMax: number;
}

/**
 * Taking a lease, as the policy-engine decides it and a person approves it: which role, what it may do and for how long at
 * most. Depends on nothing but role and request, so that asking again with an approval is the same action.
 */
export function leaseAction(role: LentRole, ttlSeconds: number): ActionMessage {
  return actionToMessage({
    type: LEASE_TYPE,
    name: 'lease',
    location: role.displayName,
    identifier: role.databaseRoleId,
    attributes: {
      member_of: [...role.memberOf].sort().join(' '),
      ttl_seconds: ttlSeconds === 0 ? role.ttlSecondsMax : Math.min(ttlSeconds, role.ttlSecondsMax),
    },
  });
}
