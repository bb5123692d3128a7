import type { ServiceDefinition } from './definition.js';
import type { BusChoice } from './parts.js';
import { endProcess } from './process-end.js';
import {
  address,
  describeSettings,
  flag,
  integer,
  list,
  maybe,
  oneOf,
  readSettings,
  SettingsError,
  type SettingsOf,
  secretText,
  text,
} from './settings.js';
import { type RunningService, startService } from './start-service.js';
import { createLogger, logLevels, Telemetry } from './telemetry.js';
import { loadIdentity } from './trust/identity.js';

/** What every service reads from its environment. What guards something has no default. */
export const commonSettings = {
  listen: address({ doc: 'where to serve gRPC', fallback: '127.0.0.1:7443' }),
  identityDir: text({ doc: 'folder with `tls.crt`, `tls.key` and `ca.crt` of this service' }),
  databaseUrl: secretText({ doc: "PostgreSQL URL of this service's own role" }),
  databaseConnections: integer({
    doc: 'connections to PostgreSQL for calls',
    fallback: 10,
    min: 2,
    max: 200,
  }),
  bus: oneOf(['postgres', 'kafka'], { doc: 'carrier of facts', fallback: 'postgres' }),
  kafkaBrokers: list({ doc: 'Kafka brokers, `host:port` separated by commas', fallback: [] }),
  kafkaReplication: integer({ doc: 'copies of each Kafka topic', fallback: 3, min: 1, max: 5 }),
  reflection: flag({ doc: 'whether to serve gRPC reflection', fallback: false }),
  logLevel: oneOf(logLevels, { doc: 'least level that is logged', fallback: 'info' }),
  metricsPort: maybe(
    integer({ doc: 'port on 127.0.0.1 for Prometheus, read by `otel.js`', min: 0, max: 65535 }),
  ),
} as const;

/** Beside those, where a service has HTTP edges. */
export const httpSettings = {
  httpListen: address({ doc: 'where to serve HTTP over mutual TLS' }),
} as const;

const EXIT_FAILED = 1;
/** EX_CONFIG of sysexits: starting again will not help before somebody changes a setting. */
const EXIT_CONFIG = 78;
/** From the signal to the end, whatever hangs. */
const STOP_MS_MAX = 5_000;
const CAUSES_MAX = 5;

/**
 * The whole of a `main.ts`: reads the environment, starts the service, stops it on SIGTERM and SIGINT. A start that
 * fails says why in one line on standard error and ends with 78 (a setting) or 1 (anything else).
 */
export async function run(definition: ServiceDefinition): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${describeSettings(settingsTable(definition)).join('\n')}\n`);
    return;
  }
  try {
    const running = await startFromEnvironment(definition, process.env);
    endOnSignals(running);
  } catch (error) {
    process.stderr.write(`${definition.name} did not start: ${reasonOf(error)}\n`);
    await endProcess(error instanceof SettingsError ? EXIT_CONFIG : EXIT_FAILED);
  }
}

type Values = SettingsOf<typeof commonSettings> & Partial<SettingsOf<typeof httpSettings>>;

/** Starts a service as `environment` says; whoever calls it stops it. */
export async function startFromEnvironment(
  definition: ServiceDefinition,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<RunningService> {
  const values = readSettings(settingsTable(definition), environment) as Values;
  const logger = createLogger({ service: definition.name, level: values.logLevel });
  const telemetry = new Telemetry(logger);
  const identity = await loadIdentity(values.identityDir, (cause) => telemetry.identityRenewalFailed(cause));
  identity.onChange((material) => telemetry.identityRenewed(material));
  return startService(definition, {
    identity,
    listen: values.listen,
    ...(values.httpListen !== undefined && { httpListen: values.httpListen }),
    databaseUrl: values.databaseUrl,
    databaseConnectionsMax: values.databaseConnections,
    bus: busOf(values),
    reflection: values.reflection,
    logger,
    own: definition.settings === undefined ? undefined : new definition.settings(values as never),
    onFatal: (cause) => {
      logger.fatal({ err: cause }, 'service cannot go on');
      void endProcess(EXIT_FAILED);
    },
  });
}

function busOf(values: Values): BusChoice {
  if (values.bus === 'postgres') return { carrier: 'postgres' };
  if (values.kafkaBrokers.length === 0)
    throw new SettingsError('WRIT_KAFKA_BROKERS is missing: it is needed with WRIT_BUS=kafka');
  return { carrier: 'kafka', brokers: values.kafkaBrokers, replicationFactor: values.kafkaReplication };
}

/** Everything that `definition` reads from its environment. */
export function settingsTable({ httpEdges = [], settings }: ServiceDefinition) {
  return { ...commonSettings, ...(httpEdges.length > 0 && httpSettings), ...settings?.table };
}

function endOnSignals(running: RunningService): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(EXIT_FAILED), STOP_MS_MAX).unref();
    running.stop().then(
      () => endProcess(0),
      (error: unknown) => {
        process.stderr.write(`${running.name} did not stop cleanly after ${signal}: ${reasonOf(error)}\n`);
        return endProcess(EXIT_FAILED);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Whoever started us with a channel and is gone, however it went.
  process.once('disconnect', () => stop('SIGTERM'));
  // Gone while we were starting: that is not told a second time. Undefined where there never was a channel.
  if (process.connected === false) stop('SIGTERM');
}

/** Why something failed, on one line: the chain of causes, for the last one is usually what a person can change. */
export function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let cause = error; cause instanceof Error && reasons.length < CAUSES_MAX; cause = cause.cause) {
    if (!reasons.includes(cause.message)) reasons.push(cause.message);
  }
  return (reasons.join(': ') || String(error)).replaceAll('\n', ' ');
}
