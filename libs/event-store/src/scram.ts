import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const ITERATIONS = 4096;

/**
 * What PostgreSQL keeps instead of a password (SCRAM-SHA-256: RFC 5803 section 3, RFC 5802 section 3). Sent in place of
 * the password, so that neither a statement nor the server's log ever holds it.
 *
 * @param password printable ASCII, which SASLprep leaves as it is
 */
export function scramVerifier(password: string): string {
  if (!/^[\x21-\x7e]{12,}$/.test(password))
    throw new Error('a role needs a password of at least 12 printable ASCII characters');
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}
