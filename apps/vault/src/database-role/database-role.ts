import type { DatabaseRoleDefined } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { type Decider, refusals } from '@writ/kernel';

export type DatabaseRoleEvent = { type: 'DatabaseRoleDefined'; data: DatabaseRoleDefined };
export type DatabaseRoleCommand = { type: 'DefineDatabaseRole' } & DatabaseRoleDefined;

/** A database role never changes once it is defined: leases point at it. */
export interface DatabaseRole {
  readonly status: 'unknown' | 'defined';
}

export const refuse = refusals({
  DATABASE_ROLE_UNKNOWN: 'not-found',
  DATABASE_ROLE_ALREADY_DEFINED: 'conflict',
  DATABASE_ROLE_NAME_TAKEN: 'conflict',
  DATABASE_ROLE_MEMBER_RESERVED: 'invalid',
});

export const TTL_SECONDS_MIN = 60;
export const TTL_SECONDS_MAX = 86_400;

function decide(command: DatabaseRoleCommand, role: DatabaseRole): readonly DatabaseRoleEvent[] {
  const { databaseRoleId, displayName, secretId, memberOf, ttlSecondsMax } = command;
  if (role.status === 'defined')
    throw refuse(
      'DATABASE_ROLE_ALREADY_DEFINED',
      `database role \`${databaseRoleId}\` is defined; define another`,
    );
  // PostgreSQL's own roles give rights beyond tables: reading files, running programs, ending others' work.
  const reserved = memberOf.find((name) => name.toLowerCase().startsWith('pg_'));
  if (reserved !== undefined)
    throw refuse(
      'DATABASE_ROLE_MEMBER_RESERVED',
      `\`${reserved}\` is one of PostgreSQL's own roles; name a role that was made for agents`,
    );
  return [
    { type: 'DatabaseRoleDefined', data: { databaseRoleId, displayName, secretId, memberOf, ttlSecondsMax } },
  ];
}

export const databaseRoleDecider: Decider<DatabaseRole, DatabaseRoleCommand, DatabaseRoleEvent> = {
  initialState: () => ({ status: 'unknown' }),
  decide,
  evolve: () => ({ status: 'defined' }),
};
