import { Client, type Metadata } from '@grpc/grpc-js';
import {
  clientCredentials,
  type Identity,
  machineMs,
  serverNameOption,
  serviceSpiffeId,
} from '@writ/service';
import { isObject, type Json, type JsonObject } from './json.js';
import type { UnaryRpc } from './rpc.js';
import type { Suite } from './suite.js';

export interface Health {
  readonly service: UnaryRpc['service'];
  readonly address: string;
  readonly status: 'SERVING' | 'NOT_SERVING' | 'UNREACHABLE';
  /** The server's clock to the second, from the `date` of its answer (RFC 9110 section 6.6.1). */
  readonly serverTime: Date | undefined;
}

const healthMsMax = 2_000;
const SERVING = 1;

/** Asks every service of the suite whether it can serve (gRPC health checking protocol). */
export async function healthOf(suite: Suite): Promise<readonly Health[]> {
  const [{ endpoints, trustDomain }, { identity }] = [await suite.record(), await suite.profile()];
  return Promise.all(
    Object.entries(endpoints).map(async ([name, address]) => {
      const service = name as UnaryRpc['service'];
      return { service, address, ...(await check(identity, address, serviceSpiffeId(trustDomain, service))) };
    }),
  );
}

/**
 * The two messages of the protocol are one field each: an empty request asks for the server as a whole, and the answer
 * is the status as a varint in field 1.
 */
function check(
  identity: Identity,
  address: string,
  serverSpiffeId: string,
): Promise<Pick<Health, 'status' | 'serverTime'>> {
  const client = new Client(
    address,
    clientCredentials(identity, serverSpiffeId),
    serverNameOption(serverSpiffeId),
  );
  return new Promise((resolve) => {
    let serverTime: Date | undefined;
    client
      .makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        () => Buffer.alloc(0),
        (bytes: Buffer) => bytes[1] ?? 0,
        {},
        { deadline: machineMs() + healthMsMax },
        (error, status) => {
          client.close();
          if (error !== null) resolve({ status: 'UNREACHABLE', serverTime });
          else resolve({ status: status === SERVING ? 'SERVING' : 'NOT_SERVING', serverTime });
        },
      )
      .on('metadata', (metadata: Metadata) => {
        serverTime = timeIn(metadata);
      });
  });
}

function timeIn(metadata: Metadata): Date | undefined {
  const [date] = metadata.get('date');
  const time = new Date(String(date));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

export function isServing({ status }: Health): boolean {
  return status === 'SERVING';
}

/** Sources of the ledger that lack facts. */
export function gapsIn(sources: readonly Json[]): readonly JsonObject[] {
  return sources
    .filter(isObject)
    .filter(({ missing }) => Array.isArray(missing) && missing.length > 0)
    .map((source) => ({ ...source }));
}
