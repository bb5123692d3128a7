import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * The private key in `file`; made when there is none. Replicas that start at once on the same file get the same key.
 * @throws Error when others may read the file, or when it cannot be written
 */
export function privateKeyIn(file: string): KeyObject {
  if (!existsSync(file)) makeKey(file);
  if ((statSync(file).mode & 0o077) !== 0)
    throw new Error(`\`${file}\` can be read by others; it holds a private key: chmod 600`);
  return createPrivateKey(readFileSync(file, 'utf8'));
}

/** Written whole beside the file, then given its name: nobody ever reads half a key, not even after a crash. */
function makeKey(file: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const thumbprint = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }));
  const draft = `${file}.${thumbprint.digest('hex').slice(0, 16)}.new`;
  try {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(draft, pem, { mode: 0o600, flag: 'wx', flush: true });
    linkSync(draft, file);
  } catch (cause) {
    // Another replica may have been faster; its key is ours.
    if (!existsSync(file)) throw new Error(`cannot write the signing key to \`${file}\``, { cause });
  } finally {
    rmSync(draft, { force: true });
  }
}
