import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
  ServiceDefinition,
} from '@grpc/grpc-js';
import type { Call } from '@writ/kernel';
import type { ServiceName } from './service-name.js';

/**
 * An edge is one class per gRPC service of the contract: a method per call, and beside it a table of who may call what.
 * Calls are plain grpc-js handlers behind `pipeline.ts`; Nest builds the class and does nothing else. Its own
 * transport would cost about 18 µs a call and buffers streams without bound.
 */

/** A generated service definition (ts-proto, `outputServices=grpc-js`). */
export type Definition = ServiceDefinition;
/** One call of it. */
export type Method = Definition[string];

export type RequestOf<M extends Method> = ReturnType<M['requestDeserialize']>;
export type ResponseOf<M extends Method> = ReturnType<M['responseDeserialize']>;

/**
 * How an edge answers one call, by its two stream flags. Streams get the raw grpc-js stream; a `Buffer` written to one
 * is an already encoded message, so that a fan-out encodes once.
 */
export type Handler<M extends Method> = M extends { requestStream: false; responseStream: false }
  ? (request: RequestOf<M>, call: Call) => Promise<ResponseOf<M>>
  : M extends { requestStream: true; responseStream: false }
    ? (stream: ServerReadableStream<RequestOf<M>, ResponseOf<M>>, call: Call) => Promise<ResponseOf<M>>
    : M extends { requestStream: false; responseStream: true }
      ? (
          stream: ServerWritableStream<RequestOf<M>, ResponseOf<M> | Buffer>,
          call: Call,
        ) => void | Promise<void>
      : (
          stream: ServerDuplexStream<RequestOf<M>, ResponseOf<M> | Buffer>,
          call: Call,
        ) => void | Promise<void>;

/** What an edge class of `Def` must implement: a missing or mistyped call does not compile. */
export type Calls<Def extends Definition> = { [Name in keyof Def]: Handler<Def[Name]> };

export const roles = ['admin', 'operator', 'sponsor', 'approver', 'auditor', 'security'] as const;
export type Role = (typeof roles)[number];

/** One kind of caller in an access row: by the kind of its SPIFFE ID, its service name, or a person's role. */
export type Who = 'agent' | 'enforcement-point' | 'bootstrap' | `service:${ServiceName}` | `role:${Role}`;

/** Who may make each call. A row left out does not compile; an empty row lets nobody in. */
export type Access<Def extends Definition> = { readonly [Name in keyof Def]: readonly Who[] };

/**
 * An edge class as the server takes it: the class, the definition it serves and its access table.
 *
 * @example
 * export class AgentRpc implements Calls<typeof AgentServiceService> {
 *   static readonly service = AgentServiceService;
 *   static readonly access = agentAccess;
 * }
 */
export interface EdgeClass<Def extends Definition = Definition> {
  // `never`: Nest supplies the constructor's arguments, nobody else constructs an edge.
  new (...dependencies: never[]): object;
  readonly service: Def;
  readonly access: Access<Def>;
}
