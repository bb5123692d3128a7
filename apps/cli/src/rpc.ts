import type { MethodDefinition } from '@grpc/grpc-js';
import type { ServiceName } from '@writ/service';
import { contract, type MessageType } from './contract.js';
import type { JsonObject } from './json.js';

/** Proto3 JSON of one message type, as ts-proto generates it. */
interface JsonForm<T> {
  fromJSON(content: unknown): T;
  toJSON(message: T): unknown;
}

interface JsonMethod<Streaming extends boolean> extends MethodDefinition<JsonObject, JsonObject> {
  readonly requestStream: false;
  readonly responseStream: Streaming;
}

/** One call of the contract that speaks proto3 JSON on our side and protobuf on the wire. */
export interface Rpc<Streaming extends boolean = boolean> {
  readonly service: ServiceName;
  /** `writ.registry.v1.AgentService/GetAgent` */
  readonly title: string;
  readonly method: JsonMethod<Streaming>;
  readonly request: MessageType;
}

export type UnaryRpc = Rpc<false>;
export type StreamRpc = Rpc<true>;

type Unary<Req, Res> = MethodDefinition<Req, Res> & { requestStream: false; responseStream: false };
type ServerStream<Req, Res> = MethodDefinition<Req, Res> & { requestStream: false; responseStream: true };

export function unary<Req, Res>(
  service: ServiceName,
  method: Unary<Req, Res>,
  request: JsonForm<Req>,
  response: JsonForm<Res>,
): UnaryRpc {
  return rpc(service, { ...inJson(method, request, response), responseStream: false });
}

export function serverStream<Req, Res>(
  service: ServiceName,
  method: ServerStream<Req, Res>,
  request: JsonForm<Req>,
  response: JsonForm<Res>,
): StreamRpc {
  return rpc(service, { ...inJson(method, request, response), responseStream: true });
}

function rpc<Streaming extends boolean>(service: ServiceName, method: JsonMethod<Streaming>): Rpc<Streaming> {
  return { service, title: method.path.slice(1), method, request: contract.requestOf(method.path) };
}

function inJson<Req, Res>(
  method: MethodDefinition<Req, Res>,
  request: JsonForm<Req>,
  response: JsonForm<Res>,
) {
  return {
    path: method.path,
    requestStream: false as const,
    requestSerialize: (json: JsonObject) => method.requestSerialize(request.fromJSON(json)),
    requestDeserialize: (bytes: Buffer) => json(request, method.requestDeserialize(bytes)),
    responseSerialize: (answer: JsonObject) => method.responseSerialize(response.fromJSON(answer)),
    responseDeserialize: (bytes: Buffer) => json(response, method.responseDeserialize(bytes)),
  };
}

/** A message's proto3 JSON is always an object. */
function json<T>(form: JsonForm<T>, message: T): JsonObject {
  return form.toJSON(message) as JsonObject;
}
