import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { readSpiffeId, urisOf } from './server-identity.js';

/** What this client presents and trusts, in PEM. */
export interface IdentityMaterial {
  /** Leaf first, then the certificates that issued it. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** The trust domain's roots; at least one. */
  readonly rootsPem: string;
}

/** Where the material comes from: once, or anew at each look. */
export type IdentitySource = IdentityMaterial | (() => Promise<IdentityMaterial>);

/** Material that was found good. The key itself is kept by TLS only. */
export interface ClientIdentity {
  readonly spiffeId: string;
  readonly isAgent: boolean;
  readonly secureContext: SecureContext;
  /** Tells one material from another. */
  readonly fingerprint: string;
}

/** `tls.crt`, `tls.key`, `ca.crt` in a folder: what Kubernetes, cert-manager and a profile of `writ` have. */
export function identityIn(dir: string): () => Promise<IdentityMaterial> {
  return async () => {
    const read = (file: string) => readFile(join(dir, file), 'utf8');
    const [chainPem, keyPem, rootsPem] = await Promise.all([
      read('tls.crt'),
      read('tls.key'),
      read('ca.crt'),
    ]);
    return { chainPem, keyPem, rootsPem };
  };
}

/** Reads and checks. Throws for what no connection could be made with, naming the part and never its content. */
export async function readIdentity(source: IdentitySource): Promise<ClientIdentity> {
  const material = typeof source === 'function' ? await source() : source;
  const { chainPem, keyPem, rootsPem } = material;
  const leaf = part('certificate', () => new X509Certificate(chainPem));
  const key = part('key', () => createPrivateKey(keyPem));
  // A renewer replaces the files one by one: a key that is not the certificate's would break every handshake.
  if (!leaf.checkPrivateKey(key)) throw new Error('the key is not that of the certificate beside it');
  const [spiffeId = '', ...more] = urisOf(leaf.subjectAltName);
  const name = readSpiffeId(spiffeId);
  if (name === undefined || more.length > 0)
    throw new Error('the certificate must name exactly one SPIFFE ID');
  part('roots', () => checkRoots(rootsPem));
  const hash = createHash('sha256');
  for (const text of [chainPem, keyPem, rootsPem]) hash.update(`${text.length}:${text}`);
  return {
    spiffeId,
    isAgent: name.path.startsWith('agent/'),
    secureContext: createSecureContext({ cert: chainPem, key: keyPem, ca: rootsPem, minVersion: 'TLSv1.3' }),
    fingerprint: hash.digest('base64url'),
  };
}

/** Node takes an empty bundle for "the default", every public authority of the web. */
function checkRoots(pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('there is no certificate in it');
  for (const block of blocks) new X509Certificate(block);
}

function part<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`the ${name} of this client's identity cannot be read`, { cause });
  }
}
