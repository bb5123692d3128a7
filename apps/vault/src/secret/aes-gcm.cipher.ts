import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

/** AES-256-GCM (NIST SP 800-38D) with the nonce in front and the tag behind: `nonce ‖ ciphertext ‖ tag`. */
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/** @param nonce 12 bytes that were never used with this key before */
export function encrypt(o: {
  key: KeyObject;
  nonce: Uint8Array;
  plaintext: Uint8Array;
  context: string;
}): Buffer {
  const cipher = createCipheriv(ALGORITHM, o.key, o.nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(o.context, 'utf8'));
  return Buffer.concat([o.nonce, cipher.update(o.plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when the bytes, the key or the context are not those of `encrypt`. */
export function decrypt(o: { key: KeyObject; sealed: Uint8Array; context: string }): Buffer | undefined {
  const { sealed } = o;
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(ALGORITHM, o.key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(o.context, 'utf8'));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    // The tag did not match, the only way `final` fails: the caller says what that means.
    plaintext.fill(0);
    return undefined;
  }
}
