import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { CliFailure } from './cli-failure.js';
import { newKey, readKey } from './keys.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const jwk = privateKey.export({ format: 'jwk' });

describe('a key file', () => {
  it.each([
    ['a private JWK', JSON.stringify(jwk), true],
    ['a private PEM', pem, true],
    ['a public JWK', JSON.stringify(publicKey.export({ format: 'jwk' })), false],
    ['a public PEM', publicKey.export({ type: 'spki', format: 'pem' }).toString(), false],
  ])('may be %s, and only its public half is registered', (_kind, text, isPrivate) => {
    const key = readKey(text, 'agent.key');
    expect(JSON.parse(key.jwk)).toEqual({ crv: 'P-256', kty: 'EC', x: jwk.x, y: jwk.y });
    expect(key.privatePem === undefined).toBe(!isPrivate);
    expect(JSON.stringify(key)).not.toContain(jwk.d);
  });

  it.each([
    ['text', 'correct horse battery staple'],
    ['a JWK without a curve point', '{"kty":"EC","crv":"P-256","d":"correct-horse"}'],
    [
      'another curve',
      JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' })),
    ],
    [
      'RSA',
      generateKeyPairSync('rsa', { modulusLength: 2048 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
    ],
  ])('that is %s is refused, and nothing of it is repeated', (_kind, text) => {
    const refused = () => readKey(text, 'agent.key');
    expect(refused).toThrow(CliFailure);
    expect(refused).toThrow('`agent.key` must hold an EC key on P-256, as JWK or PEM');
    expect(refused).not.toThrow(/correct|horse/);
  });

  it('is made new each time', () => expect(newKey().keyId).not.toBe(newKey().keyId));
});
