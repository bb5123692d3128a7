import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Server } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { healthPackage } from './health.js';

/**
 * Server reflection (grpc.reflection.v1), for people with grpcurl and a certificate. Off unless asked for: it tells
 * a caller more than it needs.
 * @param served full names of the services on this server
 */
export function addReflection(server: Server, served: readonly string[]): void {
  const contracts = createRequire(import.meta.url).resolve('@writ/contracts/descriptor.binpb');
  const packages = loadFileDescriptorSetFromBuffer(readFileSync(contracts));
  new ReflectionService({ ...packages, ...healthPackage }, { services: [...served] }).addToServer(server);
}
