import { Client, type ServiceError } from '@grpc/grpc-js';
import { machineMs } from './clock.js';
import { healthService, type ServingStatus } from './health.js';
import type { Identity } from './trust/identity.js';
import { clientCredentials, serverNameOption } from './trust/mutual-tls.js';

const probeMsMax = 2_000;

/** Asks a server over mutual TLS whether it can serve: for containers, whose orchestrator has no certificate. */
export async function probe(o: {
  identity: Identity;
  address: string;
  serverSpiffeId: string;
}): Promise<ServingStatus | 'UNREACHABLE'> {
  const client = new Client(
    o.address,
    clientCredentials(o.identity, o.serverSpiffeId),
    serverNameOption(o.serverSpiffeId),
  );
  const { path, requestSerialize, responseDeserialize } = healthMethod();
  const deadline = machineMs() + probeMsMax;
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest<{ service: string }, { status: ServingStatus }>(
        path,
        requestSerialize,
        responseDeserialize,
        { service: '' },
        { deadline },
        (error: ServiceError | null, answer) =>
          resolve(error === null && answer ? answer.status : 'UNREACHABLE'),
      );
    });
  } finally {
    client.close();
  }
}

function healthMethod() {
  const method = healthService.Check;
  if (method === undefined) throw new Error('the health protocol has no `Check`');
  return method;
}
