import 'reflect-metadata';
import {
  type DynamicModule,
  type INestApplicationContext,
  Module,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Bus, type FactConsumer, type Reactions } from '@writ/event-bus';
import { CommandHandler, CommandLog, Database, EventStore, prepareViews, type View } from '@writ/event-store';
import { Clock } from './clock.js';
import { type Background, Consumers, OwnCalls, type ServiceDefinition } from './definition.js';
import { startHttpServer } from './http/http-server.js';
import { Pages } from './page.js';
import { buildParts, callOf, consumerOf, type Parts, type ServiceSettings } from './parts.js';
import { Readiness } from './readiness.js';
import { RoleDirectory } from './role-directory.js';
import { type RunningServer, startServer } from './server.js';
import type { ServiceName } from './service-name.js';
import { Telemetry } from './telemetry.js';
import { Identity } from './trust/identity.js';

/**
 * Starts a whole service in this process. Nest builds the classes and knows nothing of gRPC: every call goes through
 * `pipeline.ts` on a plain grpc-js server, for the reasons in `edge.ts`.
 */
export interface RunningService {
  readonly name: ServiceName;
  /** `host:port` of the gRPC server. */
  readonly address: string;
  /** `host:port` of the HTTP server; undefined for a service without HTTP edges. */
  readonly httpAddress: string | undefined;
  readonly app: INestApplicationContext;
  readonly readiness: Readiness;
  /** Ends within five seconds, open streams or not. */
  stop(): Promise<void>;
}

/** Forgets request ids this often; they are kept for a day. */
const forgetEveryMs = 60 * 60 * 1000;

export interface StartSettings extends ServiceSettings {
  /** The service's own settings: an instance of `definition.settings`. */
  readonly own?: object;
}

export async function startService(
  definition: ServiceDefinition,
  settings: StartSettings,
): Promise<RunningService> {
  const parts = buildParts(definition.name, settings, definition.reactions.length + 1);
  const stops: Stop[] = [
    ['bus database', () => parts.busDatabase.close()],
    ['database', () => parts.database.close()],
  ];
  try {
    return await started(definition, settings, parts, stops);
  } catch (cause) {
    await stopAll(parts, stops);
    throw new Error(`starting \`${definition.name}\` failed`, { cause });
  }
}

/** What to stop, in the order it was started; the last one first. */
type Stop = readonly [part: string, stop: () => Promise<unknown>];

async function started(
  definition: ServiceDefinition,
  settings: StartSettings,
  parts: Parts,
  stops: Stop[],
): Promise<RunningService> {
  const { database, store, name, clock, telemetry, readiness } = parts;
  stops.push(['bus', () => parts.bus.close()]);
  const consumers = new Map<Type<Reactions>, FactConsumer>();
  const app = await NestFactory.createApplicationContext(moduleOf(definition, settings, parts, consumers), {
    logger: false,
    abortOnError: false,
  });
  stops.push(['module', () => app.close()]);
  await prepareViews({
    database,
    store,
    service: name,
    views: definition.views.map((view) => app.get<View>(view)),
  });
  await parts.roles.prepare();
  for (const reactions of definition.reactions)
    consumers.set(reactions, consumerOf(parts, app.get(reactions)));
  for (const consumer of [consumerOf(parts, parts.roles), ...consumers.values()]) {
    await consumer.start();
    stops.push(['consumer', () => consumer.stop()]);
  }
  parts.relay.start();
  stops.push(['relay', () => parts.relay.stop()]);
  const servers = await serversOf(definition, settings, parts, app, stops);
  for (const background of definition.background ?? []) {
    const work = app.get<Background>(background);
    await work.start();
    stops.push([background.name, () => work.stop()]);
  }
  stops.push(['request ids', forgetting(parts)]);
  telemetry.serviceStarted({ ...servers, spiffeId: parts.identity.spiffeId });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    const startMs = clock.monotonicMs();
    const failures = await stopAll(parts, stops);
    telemetry.serviceStopped(clock.monotonicMs() - startMs);
    if (failures.length > 0)
      throw new AggregateError(failures, `stopping \`${name}\` failed in ${failures.length} parts`);
  };
  return {
    name,
    ...servers,
    app,
    readiness,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Starts what answers. Both servers drain at the same time, for both are within the same five seconds. */
async function serversOf(
  definition: ServiceDefinition,
  settings: StartSettings,
  { identity, clock, roles, telemetry, readiness }: Parts,
  app: INestApplicationContext,
  stops: Stop[],
): Promise<{ address: string; httpAddress: string | undefined }> {
  const parts = { clock, trustDomain: identity.trustDomain, roles, telemetry };
  const running: RunningServer[] = [];
  stops.push(['server', () => Promise.all(running.map((server) => server.stop()))]);
  const built = <Edge extends Type>(edges: readonly Edge[]) =>
    edges.map((edgeClass) => ({ edgeClass, edge: app.get<object>(edgeClass) }));
  const { listen, httpListen, reflection = false } = settings;
  const grpc = await startServer({
    identity,
    listen,
    edges: built(definition.edges),
    parts,
    readiness,
    reflection,
  });
  running.push(grpc);
  const { httpEdges = [] } = definition;
  if (httpEdges.length === 0) return { address: grpc.address, httpAddress: undefined };
  if (httpListen === undefined) throw new Error('a service with HTTP edges must be told where to serve them');
  const http = await startHttpServer({ identity, listen: httpListen, edges: built(httpEdges), parts });
  running.push(http);
  return { address: grpc.address, httpAddress: http.address };
}

@Module({})
class Host {}

/** One scope for everything: what every service has, the definition's classes, and what the service's module adds. */
function moduleOf(
  definition: ServiceDefinition,
  settings: StartSettings,
  parts: Parts,
  consumers: ReadonlyMap<Type<Reactions>, FactConsumer>,
): DynamicModule {
  const { database, store, commandLog } = parts;
  const common: Provider[] = [
    { provide: Clock, useValue: parts.clock },
    { provide: Database, useValue: database },
    { provide: EventStore, useValue: store },
    { provide: CommandLog, useValue: commandLog },
    { provide: Bus, useValue: parts.bus },
    { provide: RoleDirectory, useValue: parts.roles },
    { provide: Readiness, useValue: parts.readiness },
    { provide: Telemetry, useValue: parts.telemetry },
    { provide: Pages, useValue: parts.pages },
    { provide: Identity, useValue: parts.identity },
    { provide: OwnCalls, useValue: { next: (cause: string) => callOf(parts, cause) } satisfies OwnCalls },
    { provide: Consumers, useValue: { of: (reactions) => found(consumers, reactions) } satisfies Consumers },
    {
      provide: CommandHandler,
      inject: [...definition.views],
      useFactory: (...views: View[]) => new CommandHandler({ database, store, log: commandLog, views }),
    },
  ];
  if (definition.settings !== undefined && settings.own !== undefined)
    common.push({ provide: definition.settings, useValue: settings.own });
  const edges = [...definition.edges, ...(definition.httpEdges ?? [])].map((edge): Type => edge as Type);
  const classes: Type[] = [
    ...definition.views,
    ...definition.reactions,
    ...(definition.background ?? []),
    ...edges,
  ];
  const providers = [...common, ...new Set(classes)].filter(
    (provider) => !providedBy(definition.module, provider),
  );
  return { module: Host, imports: [{ module: definition.module, providers }] };
}

/** Whether the module's own decorator says how to make a class: its word counts, Nest would take the later one. */
function providedBy(module: Type, provider: Provider): boolean {
  const own: Provider[] = Reflect.getMetadata('providers', module) ?? [];
  const token = tokenOf(provider);
  return own.some((one) => tokenOf(one) === token);
}

function tokenOf(provider: Provider): unknown {
  return typeof provider === 'function' ? provider : provider.provide;
}

function found(
  consumers: ReadonlyMap<Type<Reactions>, FactConsumer>,
  reactions: Type<Reactions>,
): FactConsumer {
  const consumer = consumers.get(reactions);
  if (consumer === undefined)
    throw new Error(`\`${reactions.name}\` is not among the reactions of this service`);
  return consumer;
}

function forgetting({ commandLog, clock, telemetry }: Parts): () => Promise<void> {
  const timer = setInterval(() => {
    commandLog
      .forget(clock.now())
      .catch((cause) => telemetry.log.warn({ err: cause }, 'request ids were not forgotten'));
  }, forgetEveryMs).unref();
  return async () => clearInterval(timer);
}

/** Stops the last part first. A part that fails keeps no other from stopping. */
async function stopAll({ telemetry }: Parts, stops: readonly Stop[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const [part, stop] of stops.toReversed()) {
    try {
      await stop();
    } catch (cause) {
      telemetry.partFailedToStop(part, cause);
      failures.push(cause);
    }
  }
  return failures;
}
