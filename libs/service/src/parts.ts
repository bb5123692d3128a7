import { createHmac } from 'node:crypto';
import {
  type Bus,
  type BusLog,
  FactConsumer,
  KafkaBus,
  PostgresBus,
  type Reactions,
  Relay,
} from '@writ/event-bus';
import { CommandLog, Database, PostgresEventStore } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { ownCall } from './call.js';
import { type Clock, SystemClock } from './clock.js';
import { Pages } from './page.js';
import { Readiness } from './readiness.js';
import { RoleDirectory } from './role-directory.js';
import type { Secret } from './secret.js';
import { areaOf, type ServiceName } from './service-name.js';
import { createLogger, type Logger, type LogLevel, observeRelayLag, Telemetry } from './telemetry.js';
import { SpanKind, startSpan, type TracePoint } from './trace.js';
import type { Identity } from './trust/identity.js';

/** Which carrier facts travel by. */
export type BusChoice =
  | { readonly carrier: 'postgres' }
  | { readonly carrier: 'kafka'; readonly brokers: readonly string[]; readonly replicationFactor: number };

/** What every service is started with. */
export interface ServiceSettings {
  /** Who it is; its trust domain is the one it accepts callers of. */
  readonly identity: Identity;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** `host:port` of the HTTP edges; required where there are some, unused elsewhere. */
  readonly httpListen?: string;
  /** Connection URL of the service's own role. */
  readonly databaseUrl: Secret<string>;
  readonly bus: BusChoice;
  /** Connections to PostgreSQL for calls; those of the bus come on top. */
  readonly databaseConnectionsMax?: number;
  readonly reflection?: boolean;
  readonly logLevel?: LogLevel;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Told when the process cannot go on, such as a consumer that stopped for good: it must end. */
  readonly onFatal?: (cause: Error) => void;
}

/** What is built before Nest: nothing here knows a module. */
export interface Parts {
  readonly name: ServiceName;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly busLog: BusLog;
  readonly database: Database;
  readonly busDatabase: Database;
  readonly store: PostgresEventStore;
  readonly commandLog: CommandLog;
  readonly bus: Bus;
  readonly relay: Relay;
  readonly roles: RoleDirectory;
  readonly readiness: Readiness;
  readonly pages: Pages;
}

const callConnectionsMax = 10;
/** Each subscription keeps one connection; publications and reads share the rest. */
const busConnectionsBesideSubscriptions = 3;

export function buildParts(name: ServiceName, settings: ServiceSettings, subscriptions: number): Parts {
  const clock = settings.clock ?? new SystemClock();
  const log = settings.logger ?? createLogger({ service: name, level: settings.logLevel ?? 'info' });
  // Every line names the service already.
  const busLog: BusLog = (level, message, { error, service: _service, ...fields }) =>
    log[level]({ ...fields, err: error }, message);
  const url = settings.databaseUrl.reveal();
  const onConnectionLost = (cause: Error) => log.warn({ err: cause }, 'connection to the database lost');
  const database = new Database({
    url,
    applicationName: name,
    connectionsMax: settings.databaseConnectionsMax ?? callConnectionsMax,
    onConnectionLost,
  });
  const busDatabase = new Database({
    url,
    applicationName: `${name} bus`,
    connectionsMax: subscriptions + busConnectionsBesideSubscriptions,
    onConnectionLost,
  });
  const store = new PostgresEventStore({
    database,
    service: name,
    onLongStream: (streamId, facts) => log.warn({ streamId, facts }, 'stream is longer than it should be'),
  });
  const bus = busOf(name, settings, busDatabase, busLog);
  const relay = new Relay({
    service: name,
    area: areaOf(name),
    database: busDatabase,
    store,
    bus,
    log: busLog,
  });
  observeRelayLag(name, () => relay.lag());
  const readiness = new Readiness(() => clock.monotonicMs());
  readiness.add('database', async () => (await database.query('select 1')).rowCount === 1);
  return {
    name,
    identity: settings.identity,
    clock,
    telemetry: new Telemetry(log),
    busLog,
    database,
    busDatabase,
    store,
    commandLog: new CommandLog(database, name),
    bus,
    relay,
    roles: new RoleDirectory(database, name),
    readiness,
    // Replicas share their database credential and nothing else; what is derived from it is shared too.
    pages: new Pages(createHmac('sha256', url).update(`writ page tokens of ${name}`).digest()),
  };
}

function busOf(name: ServiceName, settings: ServiceSettings, database: Database, log: BusLog): Bus {
  if (settings.bus.carrier === 'postgres') return new PostgresBus(database, log);
  const { brokers, replicationFactor } = settings.bus;
  return new KafkaBus({
    brokers,
    clientId: `writ-${name}`,
    replicationFactor,
    log,
    onFatal: settings.onFatal ?? throwUncaught,
  });
}

/** An uncaught exception ends the process: nobody else was named who would. */
function throwUncaught(cause: Error): void {
  setImmediate(() => {
    throw cause;
  });
}

export function consumerOf(parts: Parts, reactions: Reactions): FactConsumer {
  const consumer = new FactConsumer({
    service: parts.name,
    database: parts.database,
    bus: parts.bus,
    reactions,
    log: parts.busLog,
    callFor: ({ source, pos, traceparent, tracestate }) =>
      callOf(parts, `fact:${source}/${pos}`, { traceparent, tracestate }),
  });
  parts.readiness.add(`facts for ${reactions.group}`, () => consumer.healthy());
  return consumer;
}

/** A call the service makes by itself, below `trace` or in a new one. */
export function callOf(parts: Parts, cause: string, trace?: TracePoint): Call {
  const { clock, identity, name } = parts;
  const point =
    trace === undefined || trace.traceparent === ''
      ? startSpan({ name: cause, kind: SpanKind.INTERNAL, parent: {}, clock })
      : trace;
  const { certificateSha256 } = identity.current();
  return ownCall({
    clock,
    service: name,
    trustDomain: identity.trustDomain,
    certificateSha256,
    cause,
    trace: point,
  });
}
