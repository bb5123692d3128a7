import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { PipelineParts } from '../exchange.js';
import { DRAIN_MS, MAX_REQUEST_BYTES, type RunningServer } from '../server.js';
import type { Identity } from '../trust/identity.js';
import { mutualTlsContext, mutualTlsOptions } from '../trust/mutual-tls.js';
import { rememberPeerCertificates } from '../trust/peer-certificate.js';
import { readBody } from './body.js';
import type { HttpEdgeClass } from './http-edge.js';
import { type Registered, type RouteTable, routeTable } from './http-registration.js';
import { type HttpRefusal, Reply } from './reply.js';

/** A client has 5 s for its headers, 10 s for a whole request, and may be silent for a minute between two. */
const serverOptions = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
  requireHostHeader: true,
  noDelay: true,
} as const;

const jsonType = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const hostPattern = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?$/;

/** HTTP/1.1 over mutual TLS: what `startServer` is for gRPC. Without an accepted certificate there is no connection. */
export async function startHttpServer(o: {
  identity: Identity;
  /** `host:port`; port 0 takes a free one. */
  listen: string;
  edges: readonly { readonly edgeClass: HttpEdgeClass; readonly edge: object }[];
  parts: PipelineParts;
}): Promise<RunningServer> {
  const table = routeTable(o.edges, o.parts);
  rememberPeerCertificates();
  let draining = false;
  const server = createServer(
    { ...serverOptions, ...mutualTlsOptions, ...mutualTlsContext(o.identity.current()) },
    (request, response) => take(request, response, table, o.parts, () => draining),
  );
  // A renewed identity is for the next handshake; connections that are open keep the certificate they were made with.
  const stopListening = o.identity.onChange((material) =>
    server.setSecureContext(mutualTlsContext(material)),
  );
  const sockets = socketsOf(server);
  const port = await listening(server, o.listen);
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    draining = true;
    await drained(server, sockets);
    stopListening();
  };
  return {
    address: `${o.listen.slice(0, o.listen.lastIndexOf(':'))}:${port}`,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function take(
  request: IncomingMessage,
  response: ServerResponse,
  table: RouteTable,
  { telemetry }: PipelineParts,
  isLast: () => boolean,
): void {
  const reply = new Reply(request, response, isLast);
  const refuse = (refusal: HttpRefusal) => {
    telemetry.httpRefused(refusal);
    reply.refuse(refusal);
  };
  const found = find(request, reply, table);
  if ('status' in found) {
    refuse(found);
    return;
  }
  if (found.route.method === 'GET') {
    found.run(request, undefined, reply);
    return;
  }
  readBody(request, MAX_REQUEST_BYTES, (body) => {
    if (body === undefined) refuse(tooLarge);
    else found.run(request, body, reply);
  });
}

const tooLarge: HttpRefusal = {
  status: 413,
  reason: 'BODY_TOO_LARGE',
  message: `a body has at most ${MAX_REQUEST_BYTES} bytes`,
  last: true,
};

/** The route that a request is for, or why there is none. Nothing but its first line and headers is looked at. */
function find(request: IncomingMessage, reply: Reply, table: RouteTable): Registered | HttpRefusal {
  const { httpVersion, method = '', url = '', headers } = request;
  if (httpVersion !== '1.1')
    return {
      status: 505,
      reason: 'HTTP_VERSION_UNSUPPORTED',
      message: 'only HTTP/1.1 is spoken here',
      last: true,
    };
  if (!reply.hasGoodRequestId) return invalid('`x-request-id` must have 1 to 200 printable ASCII characters');
  if (!hostPattern.test(headers.host ?? ''))
    return invalid('`host` must be a name or an address, and a port');
  const end = url.indexOf('?');
  const methods = table.get(end === -1 ? url : url.slice(0, end));
  if (methods === undefined)
    return { status: 404, reason: 'ROUTE_UNKNOWN', message: 'nothing is served on this path' };
  const found = methods.get(method);
  if (found === undefined) {
    const allow = [...methods.keys()].join(', ');
    return { status: 405, reason: 'METHOD_NOT_ALLOWED', message: `this path takes ${allow}`, allow };
  }
  if (method === 'POST' && !jsonType.test(headers['content-type'] ?? ''))
    return invalid('`content-type` must be `application/json`');
  return found;
}

function invalid(message: string): HttpRefusal {
  return { status: 400, reason: 'HEADER_INVALID', message };
}

function listening(server: Server, listen: string): Promise<number> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new Error(`listening on \`${listen}\` failed`, { cause })));
    server.listen({ host, port: Number(listen.slice(colon + 1)) }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

/** Every connection, also those that have not finished their handshake, which HTTP knows nothing of. */
function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/** Takes no new connection, ends those that are idle, lets requests in flight finish, then cuts what is left. */
function drained(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, DRAIN_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
