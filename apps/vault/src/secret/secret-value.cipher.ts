import { createSecretKey } from 'node:crypto';
import { refusals } from '@writ/kernel';
import { Secret } from '@writ/service';
import { decrypt, encrypt, NONCE_BYTES } from './aes-gcm.cipher.js';
import { DATA_KEY_BYTES, type KeyProvider } from './kek.provider.js';

export const refuseValue = refusals({
  SECRET_VALUE_DAMAGED: 'precondition',
  SECRET_VALUE_MISSING: 'precondition',
  REQUEST_ID_REUSED: 'conflict',
});

/** The most bytes a value may have. */
export const VALUE_BYTES_MAX = 64 * 1024;

/** Which value: bound into its encryption, so that a value that is moved to another row does not open. */
export interface ValueId {
  readonly secretId: string;
  /** From 1. */
  readonly version: number;
}

/** A value as it may be stored. */
export interface SealedValue {
  readonly kekId: string;
  readonly wrappedKey: Uint8Array;
  /** `nonce ‖ ciphertext ‖ tag` under the wrapped data key. */
  readonly sealed: Uint8Array;
}

/**
 * Envelope encryption: each value under a data key of its own, which the key-encryption key wraps. So a key-encryption
 * key is rotated without touching values, and no two values share a key.
 */
export async function seal(
  keys: KeyProvider,
  randomBytes: (count: number) => Uint8Array,
  id: ValueId,
  value: Secret<Uint8Array>,
): Promise<SealedValue> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const context = contextOf(id);
  const { kekId, bytes: wrappedKey } = await keys.wrap(new Secret(dataKey), context);
  const key = createSecretKey(dataKey);
  const sealed = encrypt({ key, nonce: randomBytes(NONCE_BYTES), plaintext: value.reveal(), context });
  dataKey.fill(0);
  return { kekId, wrappedKey, sealed };
}

/** @throws Refusal SECRET_VALUE_DAMAGED, KEK_UNKNOWN, WRAPPED_KEY_DAMAGED */
export async function unseal(
  keys: KeyProvider,
  id: ValueId,
  { kekId, wrappedKey, sealed }: SealedValue,
): Promise<Secret<Uint8Array>> {
  const context = contextOf(id);
  const dataKey = (await keys.unwrap({ kekId, bytes: wrappedKey }, context)).reveal();
  const value = decrypt({ key: createSecretKey(dataKey), sealed, context });
  dataKey.fill(0);
  if (value === undefined)
    throw refuseValue(
      'SECRET_VALUE_DAMAGED',
      `the stored value of version \`${id.version}\` of \`${id.secretId}\` was changed; restore it or add a version`,
    );
  return new Secret<Uint8Array>(value);
}

function contextOf({ secretId, version }: ValueId): string {
  return `writ secret value 1\n${secretId}\n${version}`;
}
