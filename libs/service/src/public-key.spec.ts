import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { keyOf, publicJwk, registeredKey } from './public-key.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = publicKey.export({ format: 'jwk' });

/** The other spelling of the same 32 bytes: 43 base64url characters have two bits to spare. */
function respelled(coordinate = ''): string {
  const last = alphabet.indexOf(coordinate.slice(-1));
  return `${coordinate.slice(0, -1)}${alphabet[last ^ 1]}`;
}

describe('a public key', () => {
  it('has one id, however its coordinates are spelled', () => {
    const other = { ...jwk, x: respelled(jwk.x), y: respelled(jwk.y) };
    expect(other.x).not.toBe(jwk.x);
    expect(registeredKey(JSON.stringify(other))).toEqual(registeredKey(JSON.stringify(jwk)));
    const { crv, kty, x, y } = jwk;
    expect(registeredKey(JSON.stringify(other)).jwk).toBe(JSON.stringify({ crv, kty, x, y }));
  });

  it.each([
    ['text', 'x'],
    ['a private key', JSON.stringify(privateKey.export({ format: 'jwk' }))],
    ['a key on another curve', anotherKey('ec', 'P-384')],
    ['a point off the curve', JSON.stringify({ ...jwk, x: jwk.y })],
  ])('is not %s', (_title, text) => {
    expect(publicJwk(text)).toEqual(expect.any(String));
  });

  it('on another curve verifies nothing', () => expect(keyOf(anotherKey('ec', 'P-384'))).toBeUndefined());
});

function anotherKey(type: 'ec', namedCurve: string): string {
  return JSON.stringify(generateKeyPairSync(type, { namedCurve }).publicKey.export({ format: 'jwk' }));
}
