import { fileURLToPath } from 'node:url';
import type { Server, ServerWritableStream, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { OpenStreams } from './open-streams.js';
import type { Readiness } from './readiness.js';

export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
interface HealthRequest {
  service: string;
}
interface HealthAnswer {
  status: ServingStatus;
}

const protoFile = fileURLToPath(new URL('../proto/grpc/health/v1/health.proto', import.meta.url));

/** The gRPC health checking protocol. */
export const healthPackage: PackageDefinition = loadSync(protoFile, { enums: String, defaults: true });
export const healthService = healthPackage['grpc.health.v1.Health'] as ServiceDefinition;

const watchEveryMs = 1_000;

/**
 * Health beside the edges, for whoever has a certificate of our trust domain: it says nothing but yes or no.
 * @param served names of the services on this server; others are SERVICE_UNKNOWN
 */
export function addHealth(
  server: Server,
  served: readonly string[],
  readiness: Readiness,
  streams: OpenStreams,
): void {
  const statusOf = async (service: string): Promise<ServingStatus> => {
    if (service !== '' && !served.includes(service)) return 'SERVICE_UNKNOWN';
    return (await readiness.failing()).length === 0 ? 'SERVING' : 'NOT_SERVING';
  };
  server.addService(healthService, {
    check(call: { request: HealthRequest }, respond: (error: null, answer: HealthAnswer) => void) {
      void statusOf(call.request.service).then((status) => respond(null, { status }));
    },
    watch(stream: ServerWritableStream<HealthRequest, HealthAnswer>) {
      let told: ServingStatus | undefined;
      const tell = async () => {
        const status = await statusOf(stream.request.service);
        if (status === told || stream.writableEnded || stream.destroyed) return;
        told = status;
        stream.write({ status });
      };
      const timer = setInterval(() => void tell(), watchEveryMs);
      const forget = streams.add(stream, '/grpc.health.v1.Health/Watch', '');
      for (const event of ['finish', 'cancelled', 'close', 'error'])
        stream.once(event, () => {
          clearInterval(timer);
          forget();
        });
      void tell();
    },
  });
}
