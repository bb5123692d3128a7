import { describe, expect, it } from '@jest/globals';
import { Refusal } from '@writ/kernel';
import { givenFor } from '@writ/testing/decider.js';
import {
  type SecretCommand,
  type SecretEvent,
  secretDecider,
  VERSIONS_MAX,
  versionToRead,
} from './secret.js';

const given = givenFor(secretDecider);
const secretId = 'sec_01K41M7JG0000000000000000A';
const kekId = 'file:abc';
const create: SecretCommand = {
  type: 'CreateSecret',
  secretId,
  displayName: 'erp admin',
  owner: 'finance',
  kekId,
};
const created: SecretEvent = {
  type: 'SecretCreated',
  data: { secretId, displayName: 'erp admin', owner: 'finance' },
};
const add = (version: number): SecretCommand => ({ type: 'AddSecretVersion', secretId, version, kekId });
const added = (version: number): SecretEvent => ({
  type: 'SecretVersionAdded',
  data: { secretId, version, kekId },
});
const destroy = (version: number): SecretCommand => ({ type: 'DestroySecretVersion', secretId, version });
const destroyed = (version: number): SecretEvent => ({
  type: 'SecretVersionDestroyed',
  data: { secretId, version },
});

describe('a secret', () => {
  it('is created with its first version', () => given().when(create).then(created, added(1)));
  it('is created once', () => given(created, added(1)).when(create).thenRefused('SECRET_ALREADY_CREATED'));
  it('gets its next version', () => given(created, added(1)).when(add(2)).then(added(2)));
  it('gets versions without gaps', () =>
    given(created, added(1)).when(add(3)).thenRefused('SECRET_VERSION_TAKEN'));
  it('never gets the same version twice', () =>
    given(created, added(1), added(2)).when(add(2)).thenRefused('SECRET_VERSION_TAKEN'));
  it('never gets the number of a destroyed version again', () =>
    given(created, added(1), destroyed(1)).when(add(1)).thenRefused('SECRET_VERSION_TAKEN'));
  it('gets no version before it is created', () => given().when(add(1)).thenRefused('SECRET_UNKNOWN'));
  it('has a limit to its versions', () =>
    given(created, ...Array.from({ length: VERSIONS_MAX }, (_, index) => added(index + 1)))
      .when(add(VERSIONS_MAX + 1))
      .thenRefused('SECRET_VERSIONS_TOO_MANY'));
  it('loses a version for good', () =>
    given(created, added(1), added(2)).when(destroy(1)).then(destroyed(1)));
  it('loses a version once', () => given(created, added(1), destroyed(1)).when(destroy(1)).thenNothing());
  it('cannot lose a version it never had', () =>
    given(created, added(1)).when(destroy(2)).thenRefused('SECRET_VERSION_UNKNOWN'));
});

describe('the version that is read', () => {
  const versions = [
    { version: 1, destroyed: true },
    { version: 2, destroyed: false },
    { version: 3, destroyed: true },
  ];
  it('is the newest that is kept when none is named', () =>
    expect(versionToRead(secretId, 0, versions)).toBe(2));
  it('is the one that is named', () => expect(versionToRead(secretId, 2, versions)).toBe(2));
  it('is never a destroyed one', () =>
    expect(codeOf(() => versionToRead(secretId, 3, versions))).toBe('SECRET_VERSION_DESTROYED'));
  it('is never one that was not added', () =>
    expect(codeOf(() => versionToRead(secretId, 4, versions))).toBe('SECRET_VERSION_UNKNOWN'));
  it('does not exist when all are destroyed', () =>
    expect(codeOf(() => versionToRead(secretId, 0, [{ version: 1, destroyed: true }]))).toBe(
      'SECRET_VERSION_DESTROYED',
    ));
});

function codeOf(run: () => unknown): string {
  try {
    return `not refused: ${run()}`;
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.code;
    throw thrown;
  }
}
