import { readFileSync } from 'node:fs';
import {
  createLogger,
  loadIdentity,
  type RunningService,
  readSettings,
  Secret,
  type ServiceDefinition,
  settings as settingsOf,
  startService,
} from '@writ/service';
import { reasonOf } from './reason.js';
import { definitions } from './suite/definitions.js';
import type { EngineOrder, Environment } from './suite/environment.js';
import { suiteServices } from './suite/suite.js';

/**
 * All six services in one process: each with its own port, certificate, database role and schema, and calls between them
 * over mutual TLS, as they would be apart. Started by `writd`, which says where things are once they are there; ends when
 * `writd` does.
 */
async function startAll(order: EngineOrder): Promise<RunningService[]> {
  const running: RunningService[] = [];
  // One after the other: each opens some twenty connections, and the handshakes of all at once outlast their time limit.
  for (const name of suiteServices)
    running.push(await startOne(definitions[name], order.environments[name] ?? {}));
  return running;
}

async function startOne(definition: ServiceDefinition, environment: Environment): Promise<RunningService> {
  const brokers = environment.WRIT_KAFKA_BROKERS?.split(',');
  const logger = createLogger({ service: definition.name, level: 'warn' });
  return startService(definition, {
    identity: await loadIdentity(environment.WRIT_IDENTITY_DIR ?? ''),
    listen: environment.WRIT_LISTEN ?? '',
    databaseUrl: new Secret(readFileSync(environment.WRIT_DATABASE_URL_FILE ?? '', 'utf8')),
    bus:
      brokers === undefined ? { carrier: 'postgres' } : { carrier: 'kafka', brokers, replicationFactor: 1 },
    reflection: true,
    logger,
    own: ownSettings(definition, environment),
    onFatal: (cause) => {
      logger.fatal({ err: cause }, 'service cannot go on');
      process.exit(1);
    },
  });
}

/** The service's own part of its environment; what every service is told has been read already. */
function ownSettings({ settings }: ServiceDefinition, environment: Environment): object | undefined {
  if (settings === undefined) return undefined;
  const names = Object.keys(settings.table).map(settingsOf.environmentName);
  const own = Object.fromEntries(Object.entries(environment).filter(([name]) => names.includes(name)));
  return new settings(readSettings(settings.table, own) as never);
}

async function stopAll(running: readonly RunningService[]): Promise<void> {
  // All at once: five seconds are for the whole process, and none waits for another's answer while it stops.
  const results = await Promise.allSettled(running.map((service) => service.stop()));
  process.exit(results.every(({ status }) => status === 'fulfilled') ? 0 : 1);
}

try {
  const order = await new Promise<EngineOrder>((resolve, reject) => {
    process.once('message', resolve);
    process.once('disconnect', () => reject(new Error('nobody said what to do')));
  });
  const running = await startAll(order);
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, () => void stopAll(running));
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exit(1);
}
