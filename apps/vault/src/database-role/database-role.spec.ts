import { describe, it } from '@jest/globals';
import { givenFor } from '@writ/testing/decider.js';
import { type DatabaseRoleCommand, type DatabaseRoleEvent, databaseRoleDecider } from './database-role.js';

const given = givenFor(databaseRoleDecider);
const role = {
  databaseRoleId: 'dbr_01K41M7JG0000000000000000A',
  displayName: 'erp-reader',
  secretId: 'sec_01K41M7JG0000000000000000A',
  memberOf: ['invoice_reader'],
  ttlSecondsMax: 3_600,
};
const define: DatabaseRoleCommand = { type: 'DefineDatabaseRole', ...role };
const defined: DatabaseRoleEvent = { type: 'DatabaseRoleDefined', data: role };

describe('a database role', () => {
  it('is defined once and stays as it is', () => given().when(define).then(defined));
  it('cannot be defined again', () =>
    given(defined).when(define).thenRefused('DATABASE_ROLE_ALREADY_DEFINED'));
  it('cannot give the rights of a role that PostgreSQL itself brings', () =>
    given()
      .when({ ...define, memberOf: ['invoice_reader', 'PG_read_server_files'] })
      .thenRefused('DATABASE_ROLE_MEMBER_RESERVED'));
});
