import type { DataFolder } from './data-folder.js';
import type { Ground } from './ground.js';
import type { Ports } from './ports.js';
import type { SuiteService } from './suite.js';

/** What tokens say of who made them and for whom. */
export const TOKEN_ISSUER = 'https://session-broker.writ.local';
export const TOKEN_AUDIENCE = 'writ';

export type Environment = Readonly<Record<string, string>>;

/** What the engine is told: where things are. No secret: those are in the files it names. */
export interface EngineOrder {
  readonly environments: Readonly<Record<string, Environment>>;
}

/**
 * The settings of each service, as the environment of its process. In one process the same values are read from here,
 * so that there is one way to configure a service.
 */
export function environmentOf(
  service: SuiteService,
  ground: Ground,
  ports: Ports,
  folder: DataFolder,
): Environment {
  return { ...commonEnvironment(service, ground, ports), ...ownEnvironment(service, ports, folder) };
}

function commonEnvironment(service: SuiteService, ground: Ground, ports: Ports): Environment {
  const kafka: Environment =
    ground.kafkaBrokers.length === 0
      ? { WRIT_BUS: 'postgres' }
      : { WRIT_BUS: 'kafka', WRIT_KAFKA_BROKERS: ground.kafkaBrokers.join(','), WRIT_KAFKA_REPLICATION: '1' };
  return {
    WRIT_LISTEN: `127.0.0.1:${ports.services[service]}`,
    WRIT_IDENTITY_DIR: ground.identityDirs.get(service) ?? '',
    WRIT_DATABASE_URL_FILE: ground.databaseUrlFiles.get(service) ?? '',
    WRIT_REFLECTION: 'true',
    WRIT_LOG_LEVEL: 'warn',
    WRIT_METRICS_PORT: String(ports.metrics[service]),
    ...kafka,
  };
}

/** What only this service is told. */
export function ownEnvironment(service: SuiteService, ports: Ports, folder: DataFolder): Environment {
  const sessionBroker = { WRIT_SESSION_BROKER_ADDRESS: `127.0.0.1:${ports.services['session-broker']}` };
  const tokens = { WRIT_TOKEN_ISSUER: TOKEN_ISSUER, WRIT_TOKEN_AUDIENCE: TOKEN_AUDIENCE };
  switch (service) {
    case 'registry':
      return { WRIT_TRUST_DOMAIN_DIR: folder.inside('trust') };
    case 'session-broker':
      return { ...tokens, WRIT_SIGNING_KEY_FILE: `${folder.folder('keys')}/token-signing.pem` };
    case 'policy-engine':
      return { ...tokens, ...sessionBroker, WRIT_HTTP_LISTEN: `127.0.0.1:${ports.authzen}` };
    case 'vault':
      return {
        ...tokens,
        ...sessionBroker,
        WRIT_POLICY_ENGINE_ADDRESS: `127.0.0.1:${ports.services['policy-engine']}`,
        WRIT_KEY_FILE: folder.keyFile,
      };
    case 'audit':
      return { WRIT_SIEM_FILE_DIR: folder.folder('siem') };
    case 'approvals':
      return {};
    default:
      throw new Error(`no settings for \`${service satisfies never}\``);
  }
}
