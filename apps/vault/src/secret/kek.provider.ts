import { refusals } from '@writ/kernel';
import type { Secret } from '@writ/service';

export const refuseKey = refusals({ KEK_UNKNOWN: 'precondition', WRAPPED_KEY_DAMAGED: 'precondition' });

/** A data key as it may be stored: useless without the key-encryption key it names. */
export interface WrappedKey {
  readonly kekId: string;
  readonly bytes: Uint8Array;
}

/** How many bytes a data key has: AES-256. */
export const DATA_KEY_BYTES = 32;

/**
 * Holds the key-encryption keys: a file, or a key management service that never lets them out.
 * `kek.provider.contract.ts` holds what every implementation promises.
 */
export abstract class KeyProvider {
  /** The key that wraps from now on. Older ones unwrap as long as the provider still has them. */
  abstract currentKekId(): string;

  /**
   * Encrypts a data key of `DATA_KEY_BYTES` under the current key.
   * @param context what the data key is for; authenticated, so that a wrapped key moved elsewhere does not unwrap
   */
  abstract wrap(dataKey: Secret<Uint8Array>, context: string): Promise<WrappedKey>;

  /** @throws Refusal KEK_UNKNOWN, WRAPPED_KEY_DAMAGED for changed bytes, another context or another key's id */
  abstract unwrap(wrapped: WrappedKey, context: string): Promise<Secret<Uint8Array>>;
}
