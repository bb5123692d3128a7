import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleUnaryCall,
  Metadata,
  type Server,
  type ServerDuplexStream,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Call } from '@writ/kernel';
import type { EdgeClass, Method } from './edge.js';
import { CALL_ID_KEY, toWire, type WireError } from './errors.js';
import type { Exchange, PipelineParts, Rpc, Surface } from './exchange.js';
import type { OpenStreams } from './open-streams.js';
import { pipeline, present, through } from './pipeline.js';

type AnyHandler = (request: unknown, call: Call) => unknown;
type AnyStream = ServerWritableStream<Buffer, unknown> | ServerDuplexStream<object, unknown>;

/** Puts every call of an edge on the server, behind the pipeline. Throws when the edge lacks one. */
export function register(
  server: Server,
  edgeClass: EdgeClass,
  edge: object,
  parts: PipelineParts,
  streams: OpenStreams,
): void {
  const definition: Record<string, Method> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(edgeClass.service)) {
    const handler = handlerOf(edge, name);
    const who = edgeClass.access[name];
    if (who === undefined) throw new Error(`\`${method.path}\` has no access row in \`${edgeClass.name}\``);
    const rpc: Rpc = {
      system: 'grpc',
      path: method.path,
      who,
      streaming: method.requestStream || method.responseStream,
      decode: (bytes) => method.requestDeserialize(bytes) as object,
      encode: (request) => method.requestSerialize(request as never),
    };
    // Answers are encoded inside the pipeline, so that one that cannot be encoded is an internal error like any other.
    const encode = (answer: unknown): Buffer =>
      Buffer.isBuffer(answer) ? answer : method.responseSerialize(answer);
    // Single requests are decoded inside the pipeline too: grpc-js would answer for bytes of its own, before anybody is known.
    const requestDeserialize = method.requestStream ? method.requestDeserialize : (bytes: Buffer) => bytes;
    definition[name] = { ...method, requestDeserialize, responseSerialize: encode };
    handlers[name] = grpcHandler({ method, rpc, handler, encode, parts, streams });
  }
  server.addService(definition, handlers);
}

interface Registered {
  readonly method: Method;
  readonly rpc: Rpc;
  readonly handler: AnyHandler;
  readonly encode: (answer: unknown) => Buffer;
  readonly parts: PipelineParts;
  readonly streams: OpenStreams;
}

function grpcHandler(o: Registered): UntypedHandleCall {
  if (o.method.responseStream) return streamHandler(o);
  if (o.method.requestStream) return uploadHandler(o);
  return unaryHandler(o);
}

function unaryHandler({ rpc, handler, encode, parts }: Registered): handleUnaryCall<Buffer, Buffer> {
  return (surface, respond) => {
    const exchange = opened(rpc, parts, surface, surface.request);
    const answer = through(pipeline, exchange, async () =>
      encode(await handler(exchange.request, present(exchange.call))),
    );
    settle(answer, exchange, respond);
  };
}

function uploadHandler({
  rpc,
  handler,
  encode,
  parts,
}: Registered): handleClientStreamingCall<object, Buffer> {
  return (stream, respond) => {
    const exchange = opened(rpc, parts, stream, undefined);
    const answer = through(pipeline, exchange, async () =>
      encode(await handler(stream, present(exchange.call))),
    );
    settle(answer, exchange, respond);
  };
}

/**
 * Responds with what `answer` becomes. An answer that grpc-js throws for is logged and becomes an internal error: left
 * alone it would be an unhandled rejection, and one call would end the process.
 */
function settle(
  answer: Promise<unknown>,
  { rpc, parts, callId }: Exchange,
  respond: sendUnaryData<Buffer>,
): void {
  const notSent = (cause: unknown) => parts.telemetry.answerNotSent(callId, rpc.path.slice(1), cause);
  const attempt = (send: () => void, orElse: (cause: unknown) => void) => {
    try {
      send();
    } catch (cause) {
      orElse(cause);
    }
  };
  const instead = (cause: unknown) => {
    notSent(cause);
    attempt(() => respond(toWire(cause, callId)), notSent);
  };
  void answer.then(
    (bytes) => attempt(() => respond(null, bytes as Buffer, trailer(callId)), instead),
    (wire: WireError) => attempt(() => respond(wire), instead),
  );
}

function streamHandler({
  rpc,
  handler,
  parts,
  streams,
}: Registered): handleBidiStreamingCall<object, unknown> {
  return (stream: AnyStream) => {
    const raw = 'request' in stream ? stream.request : undefined;
    const exchange = opened(rpc, parts, stream, raw);
    through(pipeline, exchange, async () => {
      // Gone while the caller's roles were read: nothing would tell of its end any more.
      if (stream.cancelled || stream.destroyed) return;
      const close = streams.add(stream, rpc.path, exchange.callId);
      parts.telemetry.streamOpened(rpc.path);
      try {
        const end = untilEnd(stream);
        // A server stream finds its request where grpc-js put the bytes.
        if ('request' in stream) Object.assign(stream, { request: exchange.request });
        await handler(stream, present(exchange.call));
        await end;
      } finally {
        close();
        parts.telemetry.streamClosed(rpc.path);
      }
    }).catch((wire: WireError) => fail(stream, wire));
  };
}

/** Resolves when either side has ended the stream; rejects with what the server ended it with. */
function untilEnd(stream: AnyStream): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['finish', 'cancelled', 'close', 'error']) stream.once(event, () => resolve());
  });
}

/** Ends a stream with a status: grpc-js sends it on an `error` event; `destroy` would send none. */
export function fail(stream: Pick<AnyStream, 'emit'>, error: unknown, callId = ''): void {
  const wire = isWire(error) ? error : toWire(error, callId);
  stream.emit('error', Object.assign(new Error(wire.details), wire));
}

function isWire(error: unknown): error is WireError {
  return typeof error === 'object' && error !== null && 'reason' in error && 'metadata' in error;
}

/** @param raw undefined for requests that are a stream, or have no body */
export function opened(rpc: Rpc, parts: PipelineParts, surface: Surface, raw: Buffer | undefined): Exchange {
  return {
    rpc,
    parts,
    surface,
    raw,
    callId: parts.clock.newEventId(),
    at: parts.clock.now(),
    deadlineMs: 0,
  };
}

function trailer(callId: string): Metadata {
  const metadata = new Metadata();
  metadata.set(CALL_ID_KEY, callId);
  return metadata;
}

/** @throws Error when the edge does not answer `name` */
export function handlerOf(edge: object, name: string): AnyHandler {
  const handler: unknown = Reflect.get(edge, name);
  if (typeof handler !== 'function')
    throw new Error(`\`${edge.constructor.name}\` does not answer \`${name}\``);
  return (request, call) => handler.call(edge, request, call);
}
