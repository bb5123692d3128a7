import { describe, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type PersonCommand, type PersonEvent, personDecider } from './person.js';

const personId = 'psn_01JDKF0000000000000000000A';
const key = { keyId: 'k1', jwk: '{"kty":"EC"}' };
const register: PersonCommand = {
  type: 'RegisterPerson',
  personId,
  roles: [Role.ROLE_APPROVER, Role.ROLE_ADMIN],
  key,
};
const registered: PersonEvent = {
  type: 'PersonRegistered',
  data: { personId, roles: [Role.ROLE_ADMIN, Role.ROLE_APPROVER] },
};
const keyAdded: PersonEvent = { type: 'PersonKeyAdded', data: { personId, ...key } };
const left: PersonEvent = { type: 'PersonLeft', data: { personId } };

const given = givenFor(personDecider);

describe('a person', () => {
  it('is registered with roles and a key', () => given().when(register).then(registered, keyAdded));
  it('may be registered without a key', () =>
    given()
      .when({ ...register, key: undefined } as PersonCommand)
      .then(registered));
  it('cannot be registered twice', () =>
    given(registered).when(register).thenRefused('PERSON_ALREADY_REGISTERED'));
  it('has exactly the roles that were set last', () =>
    given(registered)
      .when({ type: 'SetPersonRoles', personId, roles: [Role.ROLE_SPONSOR] })
      .then({ type: 'PersonRolesChanged', data: { personId, roles: [Role.ROLE_SPONSOR] } }));
  it('keeps the roles it has when told the same in another order', () =>
    given(registered)
      .when({ type: 'SetPersonRoles', personId, roles: [Role.ROLE_APPROVER, Role.ROLE_ADMIN] })
      .thenNothing());
  it('does not get the same key twice', () =>
    given(registered, keyAdded).when({ type: 'AddPersonKey', personId, key }).thenNothing());
  it('cannot collect more than eight keys', () => {
    const eight = Array.from(
      { length: 8 },
      (_, n): PersonEvent => ({ type: 'PersonKeyAdded', data: { personId, keyId: `k${n}`, jwk: '{}' } }),
    );
    given(registered, ...eight)
      .when({ type: 'AddPersonKey', personId, key: { keyId: 'k9', jwk: '{}' } })
      .thenRefused('PERSON_KEYS_TOO_MANY');
  });
  it('cannot retire a key it does not have', () =>
    given(registered)
      .when({ type: 'RetirePersonKey', personId, keyId: 'k1' })
      .thenRefused('PERSON_KEY_UNKNOWN'));
  it('cannot be changed before it is registered', () =>
    given().when({ type: 'MarkPersonLeft', personId }).thenRefused('PERSON_UNKNOWN'));
  it('leaves once', () => given(registered, left).when({ type: 'MarkPersonLeft', personId }).thenNothing());
  it('gets no role after leaving', () =>
    given(registered, left)
      .when({ type: 'SetPersonRoles', personId, roles: [Role.ROLE_ADMIN] })
      .thenRefused('PERSON_LEFT'));
});
