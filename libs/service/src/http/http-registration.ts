import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Call } from '@writ/kernel';
import type { WireError } from '../errors.js';
import type { Headers, PipelineParts, Rpc, Surface } from '../exchange.js';
import { pipeline, present, through } from '../pipeline.js';
import { handlerOf, opened } from '../registration.js';
import type { HttpEdgeClass, HttpRequest, JsonMembers, Route } from './http-edge.js';
import { readJsonObject } from './json-body.js';
import type { Reply } from './reply.js';

/** One route with what stands behind it. */
export interface Registered {
  readonly route: Route;
  /** Takes a request whose body is whole, through the pipeline, to its answer. */
  run(request: IncomingMessage, body: Buffer | undefined, reply: Reply): void;
}

/** Routes by path, then method. */
export type RouteTable = ReadonlyMap<string, ReadonlyMap<string, Registered>>;

/**
 * Puts every route of the edges behind the pipeline.
 * @throws Error when an edge lacks a method, or two routes are one
 */
export function routeTable(
  edges: readonly { readonly edgeClass: HttpEdgeClass; readonly edge: object }[],
  parts: PipelineParts,
): RouteTable {
  const table = new Map<string, Map<string, Registered>>();
  for (const { edgeClass, edge } of edges)
    for (const [name, route] of Object.entries(edgeClass.routes)) {
      const methods = table.get(route.path) ?? new Map<string, Registered>();
      if (methods.has(route.method)) throw new Error(`\`${route.method} ${route.path}\` is served twice`);
      methods.set(route.method, registered(route, handlerOf(edge, name), parts));
      table.set(route.path, methods);
    }
  return table;
}

function registered(
  route: Route,
  handler: (request: HttpRequest, call: Call) => unknown,
  parts: PipelineParts,
): Registered {
  const rpc: Rpc = {
    system: 'http',
    path: route.path,
    who: route.who,
    streaming: false,
    // In a member of its own: what stands in a body is no field of ours, whatever it is called.
    decode: (bytes) => ({ body: readJsonObject(bytes) }),
    encode: (request) => Buffer.from(JSON.stringify(request)),
  };
  return {
    route,
    run(request, bytes, reply) {
      const exchange = opened(rpc, parts, new HttpSurface(request), bytes);
      reply.callId = exchange.callId;
      const answer = through(pipeline, exchange, async () => {
        const { body } = (exchange.request ?? { body: {} }) as { body: JsonMembers };
        const host = request.headers.host ?? '';
        return JSON.stringify(await handler({ body, host }, present(exchange.call)));
      });
      answer
        .then(
          (json) => reply.answer(json as string),
          (wire: WireError) => reply.fail(wire),
        )
        .catch((cause: unknown) => {
          parts.telemetry.answerNotSent(exchange.callId, route.path.slice(1), cause);
          request.socket.destroy();
        });
    },
  };
}

/** A request as the pipeline sees a call: headers as metadata, no deadline of the client's. */
class HttpSurface implements Surface {
  readonly metadata: Headers;

  constructor(private readonly request: IncomingMessage) {
    this.metadata = {
      get: (key) => {
        const value = request.headers[key];
        return value === undefined ? [] : [value].flat();
      },
    };
  }

  getDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  getAuthContext(): { sslPeerCertificate?: { raw: Buffer } } {
    const certificate = (this.request.socket as TLSSocket).getPeerCertificate();
    // Empty for a connection that is gone.
    return certificate?.raw === undefined ? {} : { sslPeerCertificate: certificate };
  }
}
