import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { publicJwk, registeredKey, Secret } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';

/** A key of somebody: its public half as it is registered, and the private half where it is at hand. */
export interface Key {
  /** Public JWK, canonical. */
  readonly jwk: string;
  /** RFC 7638 thumbprint. */
  readonly keyId: string;
  readonly privatePem: Secret<string> | undefined;
}

export function newKey(): Key {
  return keyOfPrivate(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

export function keyOfPrivate(privateKey: KeyObject): Key {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { ...keyOfPublic(createPublicKey(privateKey)), privatePem: new Secret(pem) };
}

/**
 * Reads a JWK (RFC 7517) or PEM, public or private; P-256 only.
 * @throws CliFailure without a word of the content: it may be a private key
 */
export function readKey(text: string, path: string): Key {
  const parsed = parsedKey(text);
  const key = parsed?.type === 'private' ? keyOfPrivate(parsed) : parsed && keyOfPublic(parsed);
  if (key !== undefined && publicJwk(key.jwk) === undefined) return key;
  throw new CliFailure(exitCodes.invalid, `\`${path}\` must hold an EC key on P-256, as JWK or PEM`);
}

function keyOfPublic(publicKey: KeyObject): Omit<Key, 'privatePem'> & { privatePem: undefined } {
  const isEc = publicKey.asymmetricKeyType === 'ec';
  const { jwk, keyId } = registeredKey(JSON.stringify(isEc ? publicKey.export({ format: 'jwk' }) : {}));
  return { jwk, keyId, privatePem: undefined };
}

function parsedKey(text: string): KeyObject | undefined {
  const isJson = text.trimStart().startsWith('{');
  try {
    const key = isJson ? { key: JSON.parse(text), format: 'jwk' as const } : text;
    const isPrivate = isJson ? 'd' in JSON.parse(text) : text.includes('PRIVATE KEY');
    return isPrivate ? createPrivateKey(key) : createPublicKey(key);
  } catch {
    // What is no key is told by the caller, in one sentence for all the ways to be none.
    return undefined;
  }
}
