import { type KeyObject, verify } from 'node:crypto';
import { type Json, refusals } from '@writ/kernel';
import { sha256Base64Url } from './clock.js';

export const refuseToken = refusals({
  TOKEN_MALFORMED: 'unauthenticated',
  TOKEN_FORGED: 'unauthenticated',
  TOKEN_EXPIRED: 'unauthenticated',
  TOKEN_WRONG_AUDIENCE: 'unauthenticated',
  TOKEN_WRONG_ISSUER: 'unauthenticated',
  TOKEN_BINDING_MISMATCH: 'unauthenticated',
  TOKEN_KEY_UNKNOWN: 'unauthenticated',
});

/** The public keys tokens may be signed with now. */
export abstract class KeySource {
  /** An EC P-256 public key; undefined for one that is unknown or retired. */
  abstract find(keyId: string): KeyObject | undefined;
}

/** What a verified token claims. Times are seconds since 1970. */
export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  /** base64url SHA-256 of the certificate the token is bound to (RFC 8705 section 3.1). */
  readonly certificateSha256: string;
  /** Every claim as it was signed. */
  readonly all: { readonly [claim: string]: Json };
}

/** Clocks of issuer and verifier may differ by this much. Expiry has no such grace. */
const skewSeconds = 30;
const maxTokenLength = 16_384;
const cachedMax = 20_000;

interface Verified {
  readonly claims: TokenClaims;
  readonly keyId: string;
  readonly key: KeyObject;
}

/**
 * Verifies access tokens (RFC 9068) synchronously: ES256 and nothing else, our issuer, our audience, bound to the caller's
 * certificate (RFC 8705). Signature checks are remembered by the token's hash until it expires; expiry, binding and
 * whether its key still counts are checked every time.
 */
export class TokenVerifier {
  readonly #verified = new Map<string, Verified>();

  constructor(
    private readonly o: {
      readonly issuer: string;
      readonly audience: string;
      readonly keys: KeySource;
      /** Longest life a token may have been given, in seconds; 300 unless said otherwise. */
      readonly lifeSecondsMax?: number;
    },
  ) {}

  /**
   * @param certificateSha256 of the peer that presents the token
   * @throws Refusal TOKEN_MALFORMED, TOKEN_FORGED, TOKEN_EXPIRED, TOKEN_WRONG_AUDIENCE, TOKEN_WRONG_ISSUER,
   *   TOKEN_BINDING_MISMATCH, TOKEN_KEY_UNKNOWN
   */
  verify(token: string, { certificateSha256, at }: { certificateSha256: string; at: Date }): TokenClaims {
    if (token.length > maxTokenLength) throw refuseToken('TOKEN_MALFORMED', 'the token is too long');
    const hash = sha256Base64Url(token);
    const known = this.#verified.get(hash);
    const { claims, keyId, key } = known ?? this.#checked(token);
    const nowSeconds = at.getTime() / 1000;
    if (nowSeconds >= claims.exp) {
      this.#verified.delete(hash);
      throw refuseToken('TOKEN_EXPIRED', `the token expired at ${iso(claims.exp)}; get a new one`);
    }
    if (claims.iat > nowSeconds + skewSeconds)
      throw refuseToken('TOKEN_MALFORMED', `the token is issued in the future, at ${iso(claims.iat)}`);
    if (this.o.keys.find(keyId) !== key) {
      this.#verified.delete(hash);
      throw refuseToken('TOKEN_KEY_UNKNOWN', 'the key that signed the token is no longer accepted');
    }
    if (claims.certificateSha256 !== certificateSha256)
      throw refuseToken(
        'TOKEN_BINDING_MISMATCH',
        'the token is bound to another certificate than the one presented',
      );
    if (known === undefined) this.#remember(hash, { claims, keyId, key });
    return claims;
  }

  #checked(token: string): Verified {
    const [header, payload, signature, ...more] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
      throw refuseToken('TOKEN_MALFORMED', 'a token has three parts');
    const keyId = keyIdOf(jsonOf(header, 'header'));
    const key = this.o.keys.find(keyId);
    if (key === undefined) throw refuseToken('TOKEN_KEY_UNKNOWN', 'the token is signed with an unknown key');
    const bytes = bytesOf(signature, 'signature');
    const signed = Buffer.from(`${header}.${payload}`, 'ascii');
    if (bytes.length !== 64 || !verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, bytes))
      throw refuseToken('TOKEN_FORGED', 'the signature of the token is not that of its key');
    const claims = claimsOf(jsonOf(payload, 'payload'));
    if (claims.iss !== this.o.issuer)
      throw refuseToken('TOKEN_WRONG_ISSUER', `the token must be issued by \`${this.o.issuer}\``);
    if (!claims.aud.includes(this.o.audience))
      throw refuseToken('TOKEN_WRONG_AUDIENCE', `the token must be for \`${this.o.audience}\``);
    const lifeMax = this.o.lifeSecondsMax ?? 300;
    if (claims.exp - claims.iat > lifeMax)
      throw refuseToken('TOKEN_MALFORMED', `a token lives at most ${lifeMax} seconds`);
    return { claims, keyId, key };
  }

  #remember(hash: string, verified: Verified): void {
    if (this.#verified.size >= cachedMax) this.#verified.delete(this.#verified.keys().next().value ?? '');
    this.#verified.set(hash, verified);
  }
}

/** The header says which key, and MUST say that it is an access token signed with ES256 (RFC 9068 section 4, RFC 8725). */
function keyIdOf(header: { readonly [name: string]: Json }): string {
  if (header.alg !== 'ES256') throw refuseToken('TOKEN_MALFORMED', 'a token is signed with `ES256`');
  if (header.typ !== 'at+jwt') throw refuseToken('TOKEN_MALFORMED', 'a token has the type `at+jwt`');
  if ('crit' in header) throw refuseToken('TOKEN_MALFORMED', 'a token has no critical header extensions');
  if (typeof header.kid !== 'string') throw refuseToken('TOKEN_MALFORMED', 'a token names its key in `kid`');
  return header.kid;
}

function claimsOf(all: { readonly [claim: string]: Json }): TokenClaims {
  const aud = Array.isArray(all.aud)
    ? all.aud.filter((one) => typeof one === 'string')
    : [textOf(all, 'aud')];
  const confirmation = all.cnf;
  if (!isObject(confirmation))
    throw refuseToken('TOKEN_MALFORMED', 'a token is bound to a certificate in `cnf`');
  return {
    iss: textOf(all, 'iss'),
    sub: textOf(all, 'sub'),
    aud,
    exp: secondsOf(all, 'exp'),
    iat: secondsOf(all, 'iat'),
    jti: textOf(all, 'jti'),
    certificateSha256: textOf(confirmation, 'x5t#S256'),
    all,
  };
}

function textOf(claims: { readonly [claim: string]: Json }, name: string): string {
  const value = claims[name];
  if (typeof value !== 'string' || value === '')
    throw refuseToken('TOKEN_MALFORMED', `a token has the claim \`${name}\``);
  return value;
}

function secondsOf(claims: { readonly [claim: string]: Json }, name: string): number {
  const value = claims[name];
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw refuseToken('TOKEN_MALFORMED', `a token has the time \`${name}\``);
  return value;
}

function jsonOf(part: string, name: string): { readonly [name: string]: Json } {
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(part, name)));
  } catch {
    throw refuseToken('TOKEN_MALFORMED', `the ${name} of the token is no JSON`);
  }
  if (!isObject(value)) throw refuseToken('TOKEN_MALFORMED', `the ${name} of the token is no JSON object`);
  return value;
}

/** Strict base64url: one spelling for each value, so that a token cannot be varied without breaking it. */
function bytesOf(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part)
    throw refuseToken('TOKEN_MALFORMED', `the ${name} of the token is no base64url`);
  return bytes;
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'no time at all' : date.toISOString();
}
