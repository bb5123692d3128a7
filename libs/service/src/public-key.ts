import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { canonicalJson } from '@writ/kernel';
import type { Problem } from './validate.js';

/** A public key as Writ records it. */
export interface RegisteredKey {
  /** RFC 7638 thumbprint, SHA-256, base64url. */
  readonly keyId: string;
  /** Public JWK with `kty`, `crv`, `x`, `y` only, as canonical JSON. */
  readonly jwk: string;
}

const coordinate = /^[A-Za-z0-9_-]{43}$/;

/** A field rule: a public JWK of an EC key on P-256 (RFC 7518 section 6.2.1), and nothing private in it. */
export function publicJwk(text: string): Problem {
  const known = parsed(text);
  if (known === undefined) return 'must be a public JWK: an EC key on P-256, as JSON';
  if ('d' in known)
    return 'holds a private key; send the public one and replace this key, for it has been seen';
  const { kty, crv, x, y } = known;
  const isP256 = kty === 'EC' && crv === 'P-256' && coordinate.test(String(x)) && coordinate.test(String(y));
  return isP256 && keyOf(text) !== undefined
    ? undefined
    : 'must be an EC key on P-256 with `x` and `y` on the curve';
}

/**
 * The recorded form of a JWK that `publicJwk` accepts. The coordinates are spelled anew: 43 base64url characters have two
 * bits to spare, and one key must have one id.
 */
export function registeredKey(text: string): RegisteredKey {
  const { x, y } = keyOf(text)?.export({ format: 'jwk' }) ?? {};
  // The four members in this order are both the RFC 7638 input and the canonical form.
  const jwk = canonicalJson({ crv: 'P-256', kty: 'EC', x: String(x), y: String(y) });
  return { keyId: createHash('sha256').update(jwk).digest('base64url'), jwk };
}

/** The key to verify with; undefined when `text` is no point on P-256. */
export function keyOf(text: string): KeyObject | undefined {
  const { kty, crv, x, y } = parsed(text) ?? {};
  if (kty !== 'EC' || crv !== 'P-256') return undefined;
  try {
    return createPublicKey({ key: { kty, crv, x, y } as JsonWebKey, format: 'jwk' });
  } catch {
    return undefined;
  }
}

interface JsonWebKey {
  [member: string]: string;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.slice(0, 4096));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
