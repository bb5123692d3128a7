import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { handleBidiStreamingCall, Server, ServiceDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { healthPackage } from './health.js';

type Answer = handleBidiStreamingCall<unknown, unknown>;

const versions = ['v1', 'v1alpha'] as const;
const require = createRequire(import.meta.url);
/** As the library loads them, so that its answers fit. */
const protoOptions = { longs: String, enums: String, bytes: Array, defaults: true, oneofs: true };

let contracts: PackageDefinition | undefined;

/**
 * Server reflection (grpc.reflection.v1 and v1alpha), for people with grpcurl and a certificate. Off unless asked for:
 * it tells a caller more than it needs. Descriptors are read when somebody first asks: decoding them takes longer than
 * everything else a service does to start.
 * @param served full names of the services on this server
 */
export function addReflection(server: Server, served: readonly string[]): void {
  let answers: ReadonlyMap<string, Answer> | undefined;
  for (const version of versions) {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const answer: Answer = (stream) => {
      answers ??= answersFor(served);
      answers.get(name)?.(stream);
    };
    server.addService(definitionOf(version, name), { ServerReflectionInfo: answer });
  }
}

function definitionOf(version: string, name: string): ServiceDefinition {
  const library = dirname(require.resolve('@grpc/reflection/package.json'));
  const proto = join(library, 'build', 'proto', 'grpc', 'reflection', version, 'reflection.proto');
  return loadSync(proto, protoOptions)[name] as ServiceDefinition;
}

/** What the library would have added to the server, by the full name of the service. */
function answersFor(served: readonly string[]): ReadonlyMap<string, Answer> {
  contracts ??= loadFileDescriptorSetFromBuffer(
    readFileSync(require.resolve('@writ/contracts/descriptor.binpb')),
  );
  const answers = new Map<string, Answer>();
  new ReflectionService({ ...contracts, ...healthPackage }, { services: [...served] }).addToServer({
    addService(definition, handlers) {
      const [, name = ''] = Object.values(definition)[0]?.path.split('/') ?? [];
      answers.set(name, handlers.ServerReflectionInfo as Answer);
    },
  });
  return answers;
}
