import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { LocalBroker, migrateBus } from '@writ/event-bus';
import { LocalPostgres, mayEnter, migrate } from '@writ/event-store';
import {
  createTrustDomain,
  every,
  formatSpiffeId,
  newMaterial,
  openTrustDomain,
  type ServiceDefinition,
  SystemClock,
  saveIdentity,
  serviceSpiffeId,
  sha256Base64Url,
  type TrustDomain,
} from '@writ/service';
import { createKeyFile } from '@writ/vault/secret/file-kek.provider.js';
import type { DataFolder } from './data-folder.js';
import type { Ports } from './ports.js';
import type { Stops } from './stops.js';
import type { Progress } from './suite.js';

export const TRUST_DOMAIN = 'writ.local';
const DATABASE = 'writ';
const MAX_CONNECTIONS = 300;
/** Service certificates are made new at each start, and while a suite runs. */
export const SERVICE_CERTIFICATE_SECONDS = 30 * 24 * 60 * 60;
const RENEW_EVERY_MS = 24 * 60 * 60 * 1000;

/** What the services stand on: a database with their schemas, a trust domain with their certificates, perhaps a broker. */
export interface Ground {
  readonly postgres: LocalPostgres;
  readonly trust: TrustDomain;
  /** Files with the connection URL of each service's own role. */
  readonly databaseUrlFiles: ReadonlyMap<string, string>;
  /** Folders with the identity of each service. */
  readonly identityDirs: ReadonlyMap<string, string>;
  /** Empty where facts travel through PostgreSQL. */
  readonly kafkaBrokers: readonly string[];
}

export interface GroundSettings {
  readonly folder: DataFolder;
  readonly ports: Ports;
  readonly kafka: boolean;
  /** Brokers that run already; one is started when there is none. */
  readonly kafkaBrokers: readonly string[];
  readonly definitions: readonly ServiceDefinition[];
  readonly progress: Progress;
  readonly stops: Stops;
}

export async function layGround(settings: GroundSettings): Promise<Ground> {
  const { folder, ports, kafka, definitions, progress, stops } = settings;
  const postgres = await LocalPostgres.start({
    folder: postgresFolder(folder),
    port: ports.postgres,
    durable: true,
    maxConnections: MAX_CONNECTIONS,
  });
  stops.add(() => postgres.stop());
  progress(`PostgreSQL on 127.0.0.1:${ports.postgres}, data in ${postgresFolder(folder)}`);
  await postgres.createDatabase(DATABASE);
  const trust = await trustDomainIn(folder);
  if (!existsSync(folder.keyFile)) await createKeyFile(folder.keyFile, randomBytes);
  const databaseUrlFiles = new Map<string, string>();
  const identityDirs = new Map<string, string>();
  for (const definition of definitions) {
    databaseUrlFiles.set(definition.name, await schemasOf(definition, postgres, folder));
    identityDirs.set(definition.name, await identityOf(definition, trust, folder));
  }
  const renew = async () => {
    for (const definition of definitions) await identityOf(definition, trust, folder);
  };
  // Services read their identity folder again every minute.
  stops.add(every(RENEW_EVERY_MS, renew, (cause) => progress(`certificates were not renewed: ${cause}`)));
  progress(`trust domain ${TRUST_DOMAIN}, schemas and certificates of ${definitions.length} services`);
  const broker =
    kafka && settings.kafkaBrokers.length === 0 ? await startBroker(folder, progress) : undefined;
  if (broker !== undefined) stops.add(() => broker.stop());
  return {
    postgres,
    trust,
    databaseUrlFiles,
    identityDirs,
    kafkaBrokers: broker === undefined ? settings.kafkaBrokers : broker.brokers,
  };
}

/**
 * Beside everything else, or, where root keeps this folder to itself and PostgreSQL therefore could not enter it, in a
 * place of its own that depends on the folder alone, so that the next start finds it again.
 */
export function postgresFolder(folder: DataFolder): string {
  if (mayEnter(folder.path)) return folder.inside('postgres');
  const elsewhere = `/var/tmp/writ-${sha256Base64Url(folder.path).slice(0, 16)}`;
  mkdirSync(elsewhere, { recursive: true, mode: 0o755 });
  return `${elsewhere}/postgres`;
}

async function trustDomainIn(folder: DataFolder): Promise<TrustDomain> {
  const o = { name: TRUST_DOMAIN, dir: folder.inside('trust'), clock: new SystemClock() };
  return existsSync(folder.inside('trust', 'issuing.crt')) ? openTrustDomain(o) : createTrustDomain(o);
}

/** Brings a service's schemas up to date and answers the file with its connection URL. */
async function schemasOf(
  { name, migrations }: ServiceDefinition,
  postgres: LocalPostgres,
  folder: DataFolder,
) {
  const runtimeRole = `writ_${name.replaceAll('-', '_')}`;
  folder.secretFile(`${name}.database-password`, () => randomBytes(24).toString('hex'));
  const password = folder.secret(`${name}.database-password`);
  const ownerUrl = postgres.url(DATABASE);
  await migrate({ ownerUrl, service: name, runtimeRole, password, migrations: migrations ?? [] });
  await migrateBus({ ownerUrl, runtimeRole });
  const url = new URL(ownerUrl);
  url.username = runtimeRole;
  url.password = password;
  return folder.keepSecret(`${name}.database-url`, url.href);
}

async function identityOf(
  { name }: ServiceDefinition,
  trust: TrustDomain,
  folder: DataFolder,
): Promise<string> {
  const dir = folder.inside('identities', name);
  const spiffeId = serviceSpiffeId(TRUST_DOMAIN, name);
  await saveIdentity(
    dir,
    await newMaterial({ trustDomain: trust, spiffeId, ttlSeconds: SERVICE_CERTIFICATE_SECONDS }),
  );
  return dir;
}

async function startBroker(folder: DataFolder, progress: Progress): Promise<LocalBroker> {
  progress('Apache Kafka: resolving its jars with Maven (once), starting one KRaft node');
  const broker = await LocalBroker.start(folder.folder('kafka'));
  progress(`Apache Kafka on ${broker.brokers.join(', ')}`);
  return broker;
}

export function bootstrapSpiffeId(): string {
  return formatSpiffeId({ trustDomain: TRUST_DOMAIN, kind: 'bootstrap', id: 'bootstrap' });
}
