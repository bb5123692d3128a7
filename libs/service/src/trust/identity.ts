import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.js';
import { Secret } from '../secret.js';
import { readCertificate, rootsOf } from './certificate.js';
import { parseSpiffeId } from './spiffe.js';
import { type TrustDomain, writePrivately } from './trust-domain.js';

/** How often a folder with an identity is read again: certificate renewers replace the files without telling. */
const reloadEveryMs = 60_000;
/** `setTimeout` counts in 31 bits; longer waits are made in steps. */
const longestTimerMs = 24 * 60 * 60 * 1000;

/** Everything one end of a mutual TLS connection presents and trusts. */
export interface IdentityMaterial {
  readonly spiffeId: string;
  readonly chainPem: string;
  readonly keyPem: Secret<string>;
  /** PEM of the trust domain's roots. */
  readonly rootsPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly certificateSha256: string;
}

/**
 * Who this process is: its certificate, its key, the roots it trusts. The material may change while the process runs;
 * servers and clients listen and take the new one for their next connection, so a renewal needs no restart.
 */
export class Identity {
  #current: IdentityMaterial;
  #timer: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<(material: IdentityMaterial) => void>();

  constructor(
    material: IdentityMaterial,
    /** How to get newer material, and how many milliseconds to wait before the next attempt. */
    private readonly renewal?: {
      next(current: IdentityMaterial): Promise<IdentityMaterial | undefined>;
      waitMs(current: IdentityMaterial): number;
      failed(cause: unknown): void;
    },
  ) {
    rootsOf(material.rootsPem);
    this.#current = material;
    this.#arm();
  }

  get spiffeId(): string {
    return this.#current.spiffeId;
  }

  get trustDomain(): string {
    return trustDomainOf(this.#current.spiffeId);
  }

  current(): IdentityMaterial {
    return this.#current;
  }

  /** Tells of every change from now on. Returns how to stop listening. */
  onChange(listener: (material: IdentityMaterial) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks for newer material now; used by the timer and by a command to reload. */
  async renew(): Promise<void> {
    const next = await this.renewal?.next(this.#current);
    if (next === undefined) return;
    if (next.spiffeId !== this.#current.spiffeId)
      throw new Error(
        `the renewed certificate is of \`${next.spiffeId}\`, not of \`${this.#current.spiffeId}\``,
      );
    rootsOf(next.rootsPem);
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  #arm(): void {
    const { renewal } = this;
    if (renewal === undefined) return;
    const waitMs = Math.max(1000, Math.min(renewal.waitMs(this.#current), longestTimerMs));
    // A failed renewal is told and tried again: the old certificate still has half of its life.
    this.#timer = setTimeout(() => {
      this.renew()
        .catch(renewal.failed)
        .finally(() => this.#arm());
    }, waitMs).unref();
  }
}

/**
 * The identity in `dir`: `tls.crt` (leaf, then issuing certificate), `tls.key`, `ca.crt`, the names that Kubernetes
 * secrets of type `kubernetes.io/tls` and cert-manager use. The files are read again every minute.
 * @param failed told when a reload fails; the material read before stays in use
 */
export async function loadIdentity(
  dir: string,
  failed: (cause: unknown) => void = rethrowLater,
): Promise<Identity> {
  return new Identity(await readIdentity(dir), {
    async next(current) {
      const found = await readIdentity(dir);
      const same =
        found.certificateSha256 === current.certificateSha256 && found.rootsPem === current.rootsPem;
      return same ? undefined : found;
    },
    waitMs: () => reloadEveryMs,
    failed,
  });
}

/** An identity that the starter issues itself and renews when half of its life is over. */
export async function issuedIdentity(o: {
  trustDomain: TrustDomain;
  spiffeId: string;
  ttlSeconds: number;
  clock: Clock;
  failed?: (cause: unknown) => void;
}): Promise<Identity> {
  return new Identity(await newMaterial(o), {
    async next(current) {
      return o.clock.now().getTime() >= halfLifeMs(current) ? newMaterial(o) : undefined;
    },
    waitMs: (current) => halfLifeMs(current) - o.clock.now().getTime(),
    failed: o.failed ?? rethrowLater,
  });
}

/** A fresh key pair and its certificate. */
export async function newMaterial(o: {
  trustDomain: TrustDomain;
  spiffeId: string;
  ttlSeconds: number;
}): Promise<IdentityMaterial> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issued = await o.trustDomain.issue({ spiffeId: o.spiffeId, publicKey, ttlSeconds: o.ttlSeconds });
  return {
    spiffeId: issued.spiffeId,
    chainPem: issued.chainPem,
    keyPem: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    rootsPem: o.trustDomain.rootPem,
    notBefore: issued.notBefore,
    notAfter: issued.notAfter,
    certificateSha256: issued.certificateSha256,
  };
}

/** Writes an identity where `loadIdentity` finds it: folder 0700, files 0600. */
export async function saveIdentity(dir: string, material: IdentityMaterial): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  await writePrivately(join(dir, 'ca.crt'), material.rootsPem);
  await writePrivately(join(dir, 'tls.key'), material.keyPem.reveal());
  await writePrivately(join(dir, 'tls.crt'), material.chainPem);
}

async function readIdentity(dir: string): Promise<IdentityMaterial> {
  const [chainPem, keyText, rootsPem] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map((file) => readFile(join(dir, file), 'utf8')),
  );
  if (chainPem === undefined || keyText === undefined || rootsPem === undefined)
    throw new Error(`\`${dir}\` lacks one of \`tls.crt\`, \`tls.key\`, \`ca.crt\``);
  const { uris, notBefore, notAfter, sha256 } = readCertificate(chainPem);
  const [spiffeId] = uris;
  if (spiffeId === undefined || uris.length !== 1 || parseSpiffeId(spiffeId) === undefined)
    throw new Error(`\`${join(dir, 'tls.crt')}\` must name exactly one SPIFFE ID of Writ`);
  // A renewer replaces the files one by one: a key that is not the certificate's would break every handshake.
  if (!createPublicKey(keyText).equals(createPublicKey(chainPem)))
    throw new Error(`\`${join(dir, 'tls.key')}\` is not the key of the certificate beside it`);
  try {
    rootsOf(rootsPem);
  } catch (cause) {
    throw new Error(`reading the roots to trust in \`${join(dir, 'ca.crt')}\` failed`, { cause });
  }
  return {
    spiffeId,
    chainPem,
    keyPem: new Secret(keyText),
    rootsPem,
    notBefore,
    notAfter,
    certificateSha256: sha256,
  };
}

function halfLifeMs(material: IdentityMaterial): number {
  return (material.notBefore.getTime() + material.notAfter.getTime()) / 2;
}

function trustDomainOf(spiffeId: string): string {
  const parsed = parseSpiffeId(spiffeId);
  if (parsed === undefined) throw new Error(`\`${spiffeId}\` is no SPIFFE ID of Writ`);
  return parsed.trustDomain;
}

/** Without a listener a failed renewal ends the process by its unhandled-rejection rule instead of being forgotten. */
function rethrowLater(cause: unknown): void {
  throw new Error("renewing this process's certificate failed", { cause });
}
