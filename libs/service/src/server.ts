import { Server } from '@grpc/grpc-js';
import type { EdgeClass } from './edge.js';
import type { PipelineParts } from './exchange.js';
import { addHealth } from './health.js';
import { OpenStreams } from './open-streams.js';
import type { Readiness } from './readiness.js';
import { addReflection } from './reflection.js';
import { register } from './registration.js';
import type { Identity } from './trust/identity.js';
import { MutualTls } from './trust/mutual-tls.js';

/** Largest request; bigger ones are refused with RESOURCE_EXHAUSTED before they are decoded. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** Milliseconds for calls in flight to finish once a server stops; a process has 5 s in all. */
export const DRAIN_MS = 3_500;

/**
 * Options of every server: connections end after an hour, so that a renewed certificate reaches old peers and load
 * spreads; pings find peers that vanished.
 */
const serverOptions = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.max_concurrent_streams': 1_000,
  'grpc.max_connection_age_ms': 60 * 60 * 1000,
  'grpc.max_connection_age_grace_ms': 30_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  // Statistics of each call, for a service that we do not offer.
  'grpc.enable_channelz': 0,
};

export interface RunningServer {
  /** `127.0.0.1:40123`: host as asked for, port as bound. */
  readonly address: string;
  /** Refuses new calls, ends streams, lets calls in flight finish for 3.5 s, then cuts them. */
  stop(): Promise<void>;
}

/** A gRPC server over mutual TLS with the given edges, health, and reflection when asked for. */
export async function startServer(o: {
  identity: Identity;
  /** `host:port`; port 0 takes a free one. */
  listen: string;
  edges: readonly { readonly edgeClass: EdgeClass; readonly edge: object }[];
  parts: PipelineParts;
  readiness: Readiness;
  reflection: boolean;
}): Promise<RunningServer> {
  const server = new Server(serverOptions);
  const streams = new OpenStreams();
  for (const { edgeClass, edge } of o.edges) register(server, edgeClass, edge, o.parts, streams);
  const served = o.edges.map(({ edgeClass }) => nameOf(edgeClass));
  addHealth(server, served, o.readiness, streams);
  if (o.reflection) addReflection(server, [...served, 'grpc.health.v1.Health']);
  const credentials = new MutualTls(o.identity);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(o.listen, credentials, (error, bound) =>
      error === null
        ? resolve(bound)
        : reject(new Error(`listening on \`${o.listen}\` failed`, { cause: error })),
    );
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    streams.endAll();
    await drained(server);
    credentials.stop();
  };
  return {
    address: `${o.listen.slice(0, o.listen.lastIndexOf(':'))}:${port}`,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function drained(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, DRAIN_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** `writ.registry.v1.AgentService` of `/writ.registry.v1.AgentService/GetAgent`. */
function nameOf(edgeClass: EdgeClass): string {
  const [method] = Object.values(edgeClass.service);
  return method?.path.split('/')[1] ?? '';
}
