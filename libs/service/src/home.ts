import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isServiceName, type ServiceName } from './service-name.js';
import { type Identity, type IdentityMaterial, loadIdentity, saveIdentity } from './trust/identity.js';
import { writePrivately } from './trust/trust-domain.js';

/** Where the services of one suite answer; written by whoever starts it, read by the CLI. */
export interface SuiteRecord {
  readonly trustDomain: string;
  readonly endpoints: Readonly<Partial<Record<ServiceName, string>>>;
  readonly carrier: 'postgres' | 'kafka';
  /** Everything else worth knowing: PostgreSQL, Kafka, metrics, the SIEM file. */
  readonly others: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly pid: number;
}

/** Somebody whom this machine's user can be: a certificate, and for people a key to sign with. */
export interface Profile {
  readonly name: string;
  /** `psn_…`, `agt_…` or the name of an enforcement point. */
  readonly principalId: string;
  readonly identity: Identity;
  /** Signs approvals and assertions; undefined where the profile has none. */
  readonly signingKey: KeyObject | undefined;
  /** RFC 7638 thumbprint of the signing key. */
  readonly keyId: string;
}

export interface NewProfile {
  readonly name: string;
  readonly principalId: string;
  readonly material: IdentityMaterial;
  readonly signingKeyPem?: string;
  readonly keyId?: string;
}

const profileName = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * The folder of a suite on this machine, 0700: `suite.json`, and `profiles/<name>/` with `profile.json`, `tls.crt`,
 * `tls.key`, `ca.crt` and `signing.key`.
 */
export class Home {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = resolve(folder);
  }

  /** The nearest `.writ` at or above `from`, undefined when there is none. */
  static find(from: string): Home | undefined {
    for (let at = resolve(from); ; at = resolve(at, '..')) {
      if (existsSync(join(at, '.writ', 'suite.json'))) return new Home(join(at, '.writ'));
      if (at === resolve(at, '..')) return undefined;
    }
  }

  async suite(): Promise<SuiteRecord> {
    const path = join(this.folder, 'suite.json');
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Error(`no suite in \`${this.folder}\`; start one with \`npm start\``, { cause });
    });
    const record: SuiteRecord = JSON.parse(text);
    const unknown = Object.keys(record.endpoints ?? {}).find((name) => !isServiceName(name));
    if (unknown !== undefined) throw new Error(`\`${path}\` names the unknown service \`${unknown}\``);
    return record;
  }

  async saveSuite(record: SuiteRecord): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await writePrivately(join(this.folder, 'suite.json'), `${JSON.stringify(record, null, 2)}\n`);
  }

  /** @throws Error that names the profiles there are */
  async profile(name: string): Promise<Profile> {
    const folder = this.#profileFolder(name);
    if (!existsSync(join(folder, 'profile.json'))) {
      const known = (await this.profiles()).map((one) => `\`${one}\``).join(', ') || 'none';
      throw new Error(`no profile \`${name}\`; there are: ${known}`);
    }
    const { principalId, keyId }: { principalId: string; keyId?: string } = JSON.parse(
      await readFile(join(folder, 'profile.json'), 'utf8'),
    );
    const keyFile = join(folder, 'signing.key');
    const signingKey = existsSync(keyFile) ? createPrivateKey(await readFile(keyFile, 'utf8')) : undefined;
    const identity = await loadIdentity(folder);
    // Whoever opens a profile works for minutes; nobody would be there to hear of a renewal that fails.
    identity.stop();
    return { name, principalId, identity, signingKey, keyId: keyId ?? '' };
  }

  async profiles(): Promise<readonly string[]> {
    const folder = join(this.folder, 'profiles');
    return existsSync(folder) ? (await readdir(folder)).sort() : [];
  }

  /** Whether a profile's certificate was issued; a key may be saved before that. */
  hasCertificate(name: string): boolean {
    return existsSync(join(this.#profileFolder(name), 'tls.crt'));
  }

  async saveProfile({ name, principalId, material, signingKeyPem, keyId }: NewProfile): Promise<void> {
    const folder = this.#profileFolder(name);
    await saveIdentity(folder, material);
    if (signingKeyPem !== undefined) await writePrivately(join(folder, 'signing.key'), signingKeyPem);
    await writePrivately(
      join(folder, 'profile.json'),
      `${JSON.stringify({ principalId, keyId }, null, 2)}\n`,
    );
  }

  #profileFolder(name: string): string {
    if (!profileName.test(name))
      throw new Error(`\`${name}\` is no name of a profile: small letters, digits, hyphens`);
    return join(this.folder, 'profiles', name);
  }
}
