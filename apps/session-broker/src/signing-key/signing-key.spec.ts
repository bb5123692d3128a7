import { describe, it } from '@jest/globals';
import { givenFor } from '@writ/testing/decider.js';
import { type SigningKeyCommand, type SigningKeyEvent, signingKeyDecider } from './signing-key.js';

const key = { keyId: 'k1', jwk: '{}', issuer: 'https://issuer' };
const add: SigningKeyCommand = { type: 'AddSigningKey', key };
const added: SigningKeyEvent = { type: 'SigningKeyAdded', data: key };
const retire: SigningKeyCommand = { type: 'RetireSigningKey', keyId: 'k1' };
const retired: SigningKeyEvent = { type: 'SigningKeyRetired', data: { keyId: 'k1' } };
const given = givenFor(signingKeyDecider);

describe('a signing key', () => {
  it('is announced at the first start, and not again at the next', () => {
    given().when(add).then(added);
    given(added).when(add).thenNothing();
  });
  it('never comes back once retired', () =>
    given(added, retired).when(add).thenRefused('SIGNING_KEY_RETIRED'));
  it('is retired once', () => {
    given(added).when(retire).then(retired);
    given(added, retired).when(retire).thenNothing();
  });
  it('that was never announced cannot be retired', () =>
    given().when(retire).thenRefused('SIGNING_KEY_UNKNOWN'));
});
