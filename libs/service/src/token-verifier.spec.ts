import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Json } from '@writ/kernel';
import { Refusal } from '@writ/kernel';
import { TokenVerifier } from './token-verifier.js';

const at = new Date('2026-09-01T09:00:00.000Z');
const nowSeconds = at.getTime() / 1000;
const mine = 'certificate-thumbprint-of-the-agent';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const header = { alg: 'ES256', typ: 'at+jwt', kid: 'key_1' };
const claims = {
  iss: 'https://writ.test',
  sub: 'agt_01K41M7JG00000000000000AGT',
  aud: 'https://erp.test',
  exp: nowSeconds + 300,
  iat: nowSeconds,
  jti: 'tok_1',
  cnf: { 'x5t#S256': mine },
  authorization_details: [{ type: 'payment' }],
};

let keys: Map<string, KeyObject>;
let verifier: TokenVerifier;

beforeEach(() => {
  keys = new Map([['key_1', publicKey]]);
  verifier = new TokenVerifier({
    issuer: 'https://writ.test',
    audience: 'https://erp.test',
    keys: { find: (keyId) => keys.get(keyId) },
  });
});

function encoded(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signed(head: Json, body: Json, key = privateKey): string {
  const content = `${encoded(head)}.${encoded(body)}`;
  return `${content}.${sign('sha256', Buffer.from(content), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function verify(token: string, o: { certificateSha256?: string; at?: Date } = {}) {
  return verifier.verify(token, { certificateSha256: mine, at, ...o });
}

function codeOf(token: string, o: { certificateSha256?: string; at?: Date } = {}): string {
  try {
    verify(token, o);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.kind).toBe('unauthenticated');
    if (token.length > 20) expect(error.message).not.toContain(token);
    return error.code;
  }
  return 'ACCEPTED';
}

describe('a token', () => {
  it('is accepted from our issuer, for us, from the agent it is bound to', () => {
    const token = signed(header, claims);
    expect(verify(token)).toMatchObject({ sub: claims.sub, certificateSha256: mine, aud: [claims.aud] });
    expect(verify(token).all.authorization_details).toEqual([{ type: 'payment' }]);
  });

  it('is refused with algorithm `none`', () => {
    expect(codeOf(`${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.`)).toBe('TOKEN_MALFORMED');
  });

  it('is refused when it is signed with HS256 and our public key as the secret', () => {
    const content = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`;
    const secret = publicKey.export({ type: 'spki', format: 'pem' });
    const mac = createHmac('sha256', secret).update(content).digest('base64url');
    expect(codeOf(`${content}.${mac}`)).toBe('TOKEN_MALFORMED');
  });

  it('is refused when it brings its own key', () => {
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = own.publicKey.export({ format: 'jwk' }) as Json;
    expect(codeOf(signed({ ...header, jwk }, claims, own.privateKey))).toBe('TOKEN_FORGED');
  });

  it('is refused when it is another kind of JWT', () => {
    expect(codeOf(signed({ ...header, typ: 'JWT' }, claims))).toBe('TOKEN_MALFORMED');
    expect(codeOf(signed({ ...header, typ: 'dpop+jwt' }, claims))).toBe('TOKEN_MALFORMED');
    expect(codeOf(signed({ alg: 'ES256', kid: 'key_1' }, claims))).toBe('TOKEN_MALFORMED');
    expect(codeOf(signed({ ...header, crit: ['exp'] }, claims))).toBe('TOKEN_MALFORMED');
  });

  it('is refused when one character of it is changed', () => {
    const [head, , signature] = signed(header, claims).split('.');
    expect(codeOf(`${head}.${encoded({ ...claims, sub: 'agt_other' })}.${signature}`)).toBe('TOKEN_FORGED');
    const [, body] = signed(header, claims).split('.');
    expect(codeOf(`${head}.${body}.${'A'.repeat(86)}`)).toBe('TOKEN_FORGED');
    expect(codeOf(`${head}.${body}.AAAA`)).toBe('TOKEN_FORGED');
  });

  it('is refused in another spelling of the same bytes', () => {
    expect(codeOf(`${signed(header, claims)}=`)).toBe('TOKEN_MALFORMED');
    expect(codeOf(`${signed(header, claims)}\n`)).toBe('TOKEN_MALFORMED');
  });

  it('is refused from the second of its expiry on, also when it was accepted before', () => {
    const token = signed(header, claims);
    expect(codeOf(token, { at: new Date((claims.exp - 1) * 1000) })).toBe('ACCEPTED');
    expect(codeOf(token, { at: new Date(claims.exp * 1000) })).toBe('TOKEN_EXPIRED');
  });

  it('is refused when it comes from the future, or lives longer than five minutes', () => {
    expect(codeOf(signed(header, { ...claims, iat: nowSeconds + 60 }))).toBe('TOKEN_MALFORMED');
    expect(codeOf(signed(header, { ...claims, exp: nowSeconds + 301 }))).toBe('TOKEN_MALFORMED');
  });

  it('is refused for another audience and from another issuer', () => {
    expect(codeOf(signed(header, { ...claims, aud: 'https://hr.test' }))).toBe('TOKEN_WRONG_AUDIENCE');
    expect(codeOf(signed(header, { ...claims, aud: ['https://hr.test'] }))).toBe('TOKEN_WRONG_AUDIENCE');
    expect(codeOf(signed(header, { ...claims, aud: ['https://hr.test', claims.aud] }))).toBe('ACCEPTED');
    expect(codeOf(signed(header, { ...claims, iss: 'https://evil.test' }))).toBe('TOKEN_WRONG_ISSUER');
  });

  it('is refused from anybody but the holder of its certificate, also when it was accepted before', () => {
    const token = signed(header, claims);
    expect(codeOf(token)).toBe('ACCEPTED');
    expect(codeOf(token, { certificateSha256: 'somebody-else' })).toBe('TOKEN_BINDING_MISMATCH');
  });

  it('is refused without a binding', () => {
    const { cnf: _cnf, ...unbound } = claims;
    expect(codeOf(signed(header, unbound))).toBe('TOKEN_MALFORMED');
    expect(codeOf(signed(header, { ...claims, cnf: { jkt: 'x' } }))).toBe('TOKEN_MALFORMED');
  });

  it('is refused with a key that is unknown or retired, also when it was accepted before', () => {
    const token = signed(header, claims);
    expect(codeOf(signed({ ...header, kid: 'key_2' }, claims))).toBe('TOKEN_KEY_UNKNOWN');
    expect(codeOf(token)).toBe('ACCEPTED');
    keys.delete('key_1');
    expect(codeOf(token)).toBe('TOKEN_KEY_UNKNOWN');
    keys.set('key_1', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
    expect(codeOf(token)).toBe('TOKEN_FORGED');
  });

  it.each(['', 'a', 'a.b', 'a.b.c', 'a.b.c.d', `${encoded([])}.${encoded({})}.x`, 'x'.repeat(20_000)])(
    'is refused when it is no token at all (%#)',
    (text) => {
      expect(codeOf(text)).toBe('TOKEN_MALFORMED');
    },
  );
});
