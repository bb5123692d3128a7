import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LocalBroker } from '@writ/event-bus';
import { LocalPostgres, mayEnter } from '@writ/event-store';
import {
  createTrustDomain,
  every,
  formatSpiffeId,
  newMaterial,
  openTrustDomain,
  type ServiceDefinition,
  type ServiceName,
  SystemClock,
  saveIdentity,
  serviceSpiffeId,
  sha256Base64Url,
  type TrustDomain,
} from '@writ/service';
import { createKeyFile } from '@writ/vault/secret/file-kek.provider.js';
import type { DataFolder } from './data-folder.js';
import { migrateService } from './migrate-service.js';
import type { Ports } from './ports.js';
import type { Stops } from './stops.js';
import type { Progress } from './suite.js';

export const TRUST_DOMAIN = 'writ.local';
const DATABASE = 'writ';
const MAX_CONNECTIONS = 300;
/** Service certificates are made new at each start, and while a suite runs. */
const SERVICE_CERTIFICATE_SECONDS = 30 * 24 * 60 * 60;
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
  // Before it starts: whoever interrupts a start must not leave a server that does not answer yet.
  stops.add(() => LocalPostgres.endEarlier(postgresFolder(folder)));
  const postgres = await LocalPostgres.start({
    folder: postgresFolder(folder),
    port: ports.postgres,
    durable: true,
    maxConnections: MAX_CONNECTIONS,
  });
  stops.add(() => postgres.stop());
  progress(`PostgreSQL on 127.0.0.1:${ports.postgres}, data in ${postgresFolder(folder)}`);
  await postgres.createDatabase(DATABASE);
  const trust = await trustDomainIn(folder.inside('trust'));
  const identities = folder.inside('identities');
  if (!existsSync(folder.keyFile)) await createKeyFile(folder.keyFile, randomBytes);
  const databaseUrlFiles = new Map<string, string>();
  const identityDirs = new Map<string, string>();
  for (const definition of definitions) {
    databaseUrlFiles.set(definition.name, await databaseOf(definition, postgres, folder));
    identityDirs.set(definition.name, await issueIdentity(definition.name, trust, identities));
  }
  const renew = async () => {
    for (const { name } of definitions) await issueIdentity(name, trust, identities);
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

/** The service's own role, with a password made at the first start. Answers the file with its connection URL. */
async function databaseOf(
  definition: ServiceDefinition,
  postgres: LocalPostgres,
  folder: DataFolder,
): Promise<string> {
  const { name } = definition;
  const ownerUrl = postgres.url(DATABASE);
  const url = new URL(ownerUrl);
  url.username = `writ_${name.replaceAll('-', '_')}`;
  url.password = folder.secret(`${name}.database-password`);
  await migrateService(definition, ownerUrl, url.href);
  return folder.keepSecret(`${name}.database-url`, url.href);
}

/** Whether a certificate authority was made in `dir`. */
export function hasTrustDomain(dir: string): boolean {
  return existsSync(join(dir, 'issuing.crt'));
}

/** The certificate authority in `dir`, made at the first call. */
export async function trustDomainIn(dir: string): Promise<TrustDomain> {
  const domain = { name: TRUST_DOMAIN, dir, clock: new SystemClock() };
  return hasTrustDomain(dir) ? openTrustDomain(domain) : createTrustDomain(domain);
}

/** A new key and certificate of a service, in a folder of its own below `identitiesDir`, which is the answer. */
export async function issueIdentity(
  service: ServiceName,
  trustDomain: TrustDomain,
  identitiesDir: string,
): Promise<string> {
  const dir = join(identitiesDir, service);
  const spiffeId = serviceSpiffeId(TRUST_DOMAIN, service);
  const ttlSeconds = SERVICE_CERTIFICATE_SECONDS;
  await saveIdentity(dir, await newMaterial({ trustDomain, spiffeId, ttlSeconds }));
  return dir;
}

export function bootstrapSpiffeId(): string {
  return formatSpiffeId({ trustDomain: TRUST_DOMAIN, kind: 'bootstrap', id: 'bootstrap' });
}

async function startBroker(folder: DataFolder, progress: Progress): Promise<LocalBroker> {
  progress('Apache Kafka: resolving its jars with Maven (once), starting one KRaft node');
  const broker = await LocalBroker.start(folder.folder('kafka'));
  progress(`Apache Kafka on ${broker.brokers.join(', ')}`);
  return broker;
}
