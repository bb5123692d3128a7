import { createHash, createHmac, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '@writ/service';

const derive = promisify(pbkdf2);
const KEY_BYTES = 32;
export const SALT_BYTES = 16;

/**
 * What PostgreSQL keeps instead of a password: the SCRAM-SHA-256 verifier of RFC 5802 section 3 in the spelling of RFC
 * 5803. Computed here, so that the password itself never reaches the server, its log or its statistics.
 *
 * @param password printable ASCII, which SASLprep (RFC 4013) leaves as it is
 * @param iterations RFC 7677 asks for at least 4 096. Stretching guards guessable passwords; a generated one of 256
 *   bits gains nothing from it, and the server repeats the work when the login is made
 */
export async function scramVerifier(
  password: Secret<string>,
  salt: Uint8Array,
  iterations: number,
): Promise<string> {
  if (!/^[\x21-\x7e]{27,}$/.test(password.reveal()))
    throw new Error('a generated password has at least 27 printable ASCII characters');
  const salted = await derive(password.reveal(), salt, iterations, KEY_BYTES, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`;
}
