import { createPublicKey, type KeyObject, randomUUID, type webcrypto } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.js';
import {
  keyPairOfPem,
  newKeyPair,
  privateKeyPem,
  publicKeyOf,
  readCertificate,
  signCertificate,
} from './certificate.js';
import { isTrustDomain, parseSpiffeId } from './spiffe.js';

const dayMs = 24 * 60 * 60 * 1000;
const rootLifeMs = 3650 * dayMs;
const issuingLifeMs = 30 * dayMs;

/** The longest life of a leaf. Short lives are the revocation of certificates; locks stop their holders at once. */
export const MAX_CERTIFICATE_TTL_SECONDS = 90 * 24 * 60 * 60;

/** The key that signs leaves, with the chain a holder presents below its own certificate. */
export interface Issuer {
  readonly trustDomain: string;
  /** PEM of the root: what peers trust. */
  readonly rootPem: string;
  /** PEM of the issuing certificate, sent along with each leaf. */
  readonly issuingPem: string;
  readonly issuingName: string;
  readonly publicKey: webcrypto.CryptoKey;
  readonly signingKey: webcrypto.CryptoKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface IssuedCertificate {
  readonly spiffeId: string;
  /** PEM of the leaf followed by the issuing certificate. */
  readonly chainPem: string;
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** base64url SHA-256 of the leaf: RFC 8705 `x5t#S256`. */
  readonly certificateSha256: string;
}

/**
 * The certificate authority of one trust domain, in a folder only its owner can read: a root that is used for nothing
 * but signing a short-lived issuing key (30 days, renewed before half of them are over), and that issuing key, which
 * signs every leaf. `writd` and the installer hold one; services hold leaves only.
 */
export class TrustDomain {
  #issuer: Issuer;
  /** Everybody who asks meanwhile waits for the one renewal. */
  #renewal: Promise<Issuer> | undefined;

  constructor(
    readonly name: string,
    private readonly dir: string,
    private readonly clock: Clock,
    issuer: Issuer,
  ) {
    this.#issuer = issuer;
  }

  get rootPem(): string {
    return this.#issuer.rootPem;
  }

  /** The issuing key of now. Renews it when more than half of its life is over. */
  async issuer(): Promise<Issuer> {
    if (!isHalfOver(this.#issuer, this.clock)) return this.#issuer;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<Issuer> {
    // Another process on this folder may have been first.
    const found = await readIssuer(this.name, this.dir);
    const isFresh = found !== undefined && !isHalfOver(found, this.clock);
    this.#issuer = isFresh ? found : await renewIssuer(this.name, this.dir, this.clock);
    return this.#issuer;
  }

  /** A certificate for `spiffeId`, signed by the issuing key of now. */
  async issue(wish: {
    spiffeId: string;
    publicKey: string | KeyObject;
    ttlSeconds: number;
  }): Promise<IssuedCertificate> {
    return issueCertificate({ ...wish, issuer: await this.issuer(), clock: this.clock });
  }
}

/** Makes a trust domain in `dir` (made with mode 0700). Throws when `dir` already holds one. */
export async function createTrustDomain(o: {
  name: string;
  dir: string;
  clock: Clock;
}): Promise<TrustDomain> {
  if (!isTrustDomain(o.name))
    throw new Error(`\`${o.name}\` is no trust domain: lower case letters, digits, \`.\`, \`-\`, \`_\``);
  await mkdir(o.dir, { recursive: true, mode: 0o700 });
  await chmod(o.dir, 0o700);
  const at = o.clock.now();
  const keys = await newKeyPair();
  const subject = `CN=${o.name} root`;
  const root = await signCertificate({
    subject,
    issuer: subject,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    issuerKey: keys.publicKey,
    serialNumber: newSerialNumber(o.clock),
    at,
    notAfter: new Date(at.getTime() + rootLifeMs),
    role: { authority: 1 },
    uris: [`spiffe://${o.name}`],
  });
  // `wx` refuses to overwrite: a second root under the same name would orphan every certificate of the first.
  await writeFile(join(o.dir, 'root.key'), await privateKeyPem(keys.privateKey), { mode: 0o600, flag: 'wx' });
  await writePrivately(join(o.dir, 'root.crt'), root.toString('pem'));
  return new TrustDomain(o.name, o.dir, o.clock, await renewIssuer(o.name, o.dir, o.clock));
}

/** Opens the trust domain that `createTrustDomain` made in `dir`. */
export async function openTrustDomain(o: { name: string; dir: string; clock: Clock }): Promise<TrustDomain> {
  const rootPem = await readFile(join(o.dir, 'root.crt'), 'utf8');
  if (!readCertificate(rootPem).uris.includes(`spiffe://${o.name}`))
    throw new Error(`the root in \`${o.dir}\` is not that of trust domain \`${o.name}\``);
  const issuer = (await readIssuer(o.name, o.dir)) ?? (await renewIssuer(o.name, o.dir, o.clock));
  return new TrustDomain(o.name, o.dir, o.clock, issuer);
}

/**
 * The issuing key on disk; undefined when one half is missing or is not that of the other. The two are replaced one after
 * the other, so a crash or a second process can leave a pair whose leaves nobody would accept.
 */
async function readIssuer(name: string, dir: string): Promise<Issuer | undefined> {
  const rootPem = await readFile(join(dir, 'root.crt'), 'utf8');
  const [issuingPem = '', keyPem = ''] = await Promise.all(
    ['issuing.crt', 'issuing.key'].map((file) => readFile(join(dir, file), 'utf8').catch(unlessMissing)),
  );
  if (issuingPem === '' || keyPem === '') return undefined;
  if (!createPublicKey(keyPem).equals(createPublicKey(issuingPem))) return undefined;
  const { publicKey, privateKey: signingKey } = await keyPairOfPem(keyPem);
  const { notBefore, notAfter } = readCertificate(issuingPem);
  return {
    trustDomain: name,
    rootPem,
    issuingPem,
    issuingName: issuingName(name),
    publicKey,
    signingKey,
    notBefore,
    notAfter,
  };
}

function unlessMissing(error: NodeJS.ErrnoException): string {
  if (error.code !== 'ENOENT') throw error;
  return '';
}

function isHalfOver({ notBefore, notAfter }: Issuer, clock: Clock): boolean {
  return clock.now().getTime() > (notBefore.getTime() + notAfter.getTime()) / 2;
}

/**
 * One leaf certificate with exactly one URI SAN, the SPIFFE ID of its holder (X509-SVID section 2). Services may serve
 * and call; people, agents and enforcement points may only call.
 * @param ttlSeconds 1 to 90 days; cut to the issuing certificate's own end
 */
export async function issueCertificate(o: {
  issuer: Issuer;
  spiffeId: string;
  publicKey: string | KeyObject;
  ttlSeconds: number;
  clock: Clock;
}): Promise<IssuedCertificate> {
  const holder = parseSpiffeId(o.spiffeId);
  if (holder === undefined || holder.trustDomain !== o.issuer.trustDomain)
    throw new Error(`\`${o.spiffeId}\` is no SPIFFE ID of trust domain \`${o.issuer.trustDomain}\``);
  if (!(o.ttlSeconds >= 1 && o.ttlSeconds <= MAX_CERTIFICATE_TTL_SECONDS))
    throw new RangeError(`ttlSeconds must be 1 to ${MAX_CERTIFICATE_TTL_SECONDS}, got ${o.ttlSeconds}`);
  const at = o.clock.now();
  const end = Math.min(at.getTime() + o.ttlSeconds * 1000, o.issuer.notAfter.getTime());
  const serialNumber = newSerialNumber(o.clock);
  const leaf = await signCertificate({
    subject: `CN=${holder.kind} ${holder.id}`.slice(0, 67),
    issuer: o.issuer.issuingName,
    publicKey: await publicKeyOf(o.publicKey),
    signingKey: o.issuer.signingKey,
    issuerKey: o.issuer.publicKey,
    serialNumber,
    at,
    notAfter: new Date(end),
    role: { leaf: holder.kind === 'service' ? 'peer' : 'client' },
    uris: [o.spiffeId],
  });
  const leafPem = leaf.toString('pem');
  const { notBefore, notAfter, sha256 } = readCertificate(leafPem);
  return {
    spiffeId: o.spiffeId,
    chainPem: `${leafPem}\n${o.issuer.issuingPem}`,
    serialNumber,
    notBefore,
    notAfter,
    certificateSha256: sha256,
  };
}

async function renewIssuer(name: string, dir: string, clock: Clock): Promise<Issuer> {
  const rootPem = await readFile(join(dir, 'root.crt'), 'utf8');
  const root = await keyPairOfPem(await readFile(join(dir, 'root.key'), 'utf8'));
  const at = clock.now();
  const keys = await newKeyPair();
  const certificate = await signCertificate({
    subject: issuingName(name),
    issuer: `CN=${name} root`,
    publicKey: keys.publicKey,
    signingKey: root.privateKey,
    issuerKey: root.publicKey,
    serialNumber: newSerialNumber(clock),
    at,
    notAfter: new Date(at.getTime() + issuingLifeMs),
    role: { authority: 0 },
    uris: [`spiffe://${name}`],
  });
  const issuingPem = certificate.toString('pem');
  await writePrivately(join(dir, 'issuing.key'), await privateKeyPem(keys.privateKey));
  await writePrivately(join(dir, 'issuing.crt'), issuingPem);
  const { notBefore, notAfter } = readCertificate(issuingPem);
  return {
    trustDomain: name,
    rootPem,
    issuingPem,
    issuingName: issuingName(name),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    notBefore,
    notAfter,
  };
}

function issuingName(name: string): string {
  return `CN=${name} issuing`;
}

/** 127 random bits, positive (RFC 5280 section 4.1.2.2). */
function newSerialNumber(clock: Clock): string {
  const bytes = Buffer.from(clock.randomBytes(16));
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

/**
 * Writes for the owner only, and whole or not at all: a reader never sees half a key. Each writer has a draft of its own,
 * so that two of them leave the content of one.
 */
export async function writePrivately(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}.new`;
  try {
    await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
    await chmod(draft, 0o600);
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    throw cause;
  }
}
