import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  CertificateServiceService,
  type IssueCertificateRequest,
  IssueCertificateResponse,
} from '@writ/contracts/writ/registry/v1/certificate.js';
import {
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import type { Call } from '@writ/kernel';
import { type ClientOf, connect } from '../src/client.js';
import { SystemClock } from '../src/clock.js';
import type { Access, Calls, Role } from '../src/edge.js';
import type { Roles } from '../src/exchange.js';
import { Readiness } from '../src/readiness.js';
import { type RunningServer, startServer } from '../src/server.js';
import { createLogger, Telemetry } from '../src/telemetry.js';
import type { Identity } from '../src/trust/identity.js';
import { ADMIN_ID, type Peers, TRUST_DOMAIN } from './trusted-peers.js';

const certificateAccess = {
  issueCertificate: ['role:admin', 'agent', 'service:vault'],
} as const satisfies Access<typeof CertificateServiceService>;

type Answer = (request: IssueCertificateRequest, call: Call) => Promise<IssueCertificateResponse>;
type Watching = (
  stream: ServerDuplexStream<WatchRequest, WatchResponse | Buffer>,
  call: Call,
) => void | Promise<void>;

/** A small service of the contract whose answers a test chooses. */
export class CertificateRpc implements Calls<typeof CertificateServiceService> {
  static readonly service = CertificateServiceService;
  static readonly access = certificateAccess;

  constructor(private readonly house: { answer: Answer }) {}

  async issueCertificate(request: IssueCertificateRequest, call: Call): Promise<IssueCertificateResponse> {
    return this.house.answer(request, call);
  }
}

export class WatchRpc implements Calls<typeof WatchServiceService> {
  static readonly service = WatchServiceService;
  static readonly access = {
    watch: ['agent', 'service:vault', 'enforcement-point', 'role:security'],
  } as const satisfies Access<typeof WatchServiceService>;

  constructor(private readonly house: { watching: Watching }) {}

  watch(stream: ServerDuplexStream<WatchRequest, WatchResponse | Buffer>, call: Call): void | Promise<void> {
    return this.house.watching(stream, call);
  }
}

/** A server with both, on a free port of 127.0.0.1, and what it logged. */
export interface House {
  answer: Answer;
  watching: Watching;
  readonly server: RunningServer;
  readonly logged: string[];
  readonly readiness: Readiness;
  /** A client with `identity`, closed with the house. */
  client(identity: Identity): ClientOf<typeof CertificateServiceService>;
  watcher(identity: Identity): ClientOf<typeof WatchServiceService>;
  close(): Promise<void>;
}

export const emptyAnswer = IssueCertificateResponse.fromPartial({});

export async function openHouse(
  peers: Peers,
  o: { reflection?: boolean; roles?: Roles } = {},
): Promise<House> {
  const clock = new SystemClock();
  const logged: string[] = [];
  const opened: { close(): void }[] = [];
  const readiness = new Readiness(() => clock.monotonicMs());
  const telemetry = new Telemetry(
    createLogger({ service: 'registry', level: 'debug' }, { write: (line) => void logged.push(line) }),
  );
  const roles = o.roles ?? {
    rolesOf: async (id: string) => new Set<Role>(id === ADMIN_ID ? ['admin'] : []),
  };
  const identity = await peers.identity('/service/registry');
  const serverSpiffeId = identity.spiffeId;
  const chosen: Pick<House, 'answer' | 'watching'> = { answer: async () => emptyAnswer, watching: () => {} };
  const server = await startServer({
    identity,
    listen: '127.0.0.1:0',
    edges: [
      { edgeClass: CertificateRpc, edge: new CertificateRpc(chosen) },
      { edgeClass: WatchRpc, edge: new WatchRpc(chosen) },
    ],
    parts: { clock, trustDomain: TRUST_DOMAIN, roles, telemetry },
    readiness,
    reflection: o.reflection ?? false,
  });
  const keep = <C extends { close(): void }>(client: C): C => {
    opened.push(client);
    return client;
  };
  const target = { address: server.address, serverSpiffeId, clock };
  return Object.assign(chosen, {
    server,
    logged,
    readiness,
    client: (caller: Identity) =>
      keep(connect({ ...target, identity: caller, definition: CertificateServiceService })),
    watcher: (caller: Identity) =>
      keep(connect({ ...target, identity: caller, definition: WatchServiceService })),
    async close() {
      for (const client of opened) client.close();
      await server.stop();
    },
  });
}
