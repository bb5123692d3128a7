import { errorMonitor } from 'node:events';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { context, type Span, trace } from '@opentelemetry/api';
import type { Call } from '@writ/kernel';
import { CAUSE_KEY, type TimedCall } from './call.js';
import { type Clock, machineMs } from './clock.js';
import type { Definition, Method, RequestOf, ResponseOf } from './edge.js';
import { MAX_REQUEST_BYTES } from './server.js';
import {
  endSpan,
  formatTraceparent,
  SpanKind,
  startSpan,
  TRACEPARENT_KEY,
  TRACESTATE_KEY,
  type TracePoint,
} from './trace.js';
import type { Identity } from './trust/identity.js';
import { clientCredentials, serverNameOption } from './trust/mutual-tls.js';

/** What a caller may say about one call beside its request. */
export interface CallWish {
  /** Milliseconds for the answer; 2,000 when absent. */
  readonly deadlineMs?: number;
  /** On whose behalf: its trace goes on, its id becomes the cause, its remaining time is the deadline. */
  readonly call?: Call;
  readonly trace?: Partial<TracePoint>;
  readonly signal?: AbortSignal;
}

/** A typed client: unary calls answer with promises, streams are grpc-js streams. */
export type ClientOf<Def extends Definition> = {
  readonly [Name in keyof Def]: ClientCall<Def[Name]>;
} & { readonly close: () => void };

type ClientCall<M extends Method> = M extends { requestStream: false; responseStream: false }
  ? (request: RequestOf<M>, wish?: CallWish) => Promise<ResponseOf<M>>
  : M extends { requestStream: false; responseStream: true }
    ? (request: RequestOf<M>, wish?: CallWish) => ClientReadableStream<ResponseOf<M>>
    : M extends { requestStream: true; responseStream: true }
      ? (wish?: CallWish) => ClientDuplexStream<RequestOf<M>, ResponseOf<M>>
      : never;

const defaultDeadlineMs = 2_000;

const channelOptions = {
  'grpc.max_receive_message_length': 4 * MAX_REQUEST_BYTES,
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A connection of its own: one client's identity must never carry another's calls.
  'grpc.use_local_subchannel_pool': 1,
};

/**
 * A client of one service over mutual TLS. The server must prove to be `serverSpiffeId`; every unary call has a
 * deadline and carries the trace.
 */
export function connect<Def extends Definition>(o: {
  identity: Identity;
  /** `host:port` */
  address: string;
  serverSpiffeId: string;
  definition: Def;
  clock: Clock;
}): ClientOf<Def> {
  const client = new Client(o.address, clientCredentials(o.identity, o.serverSpiffeId), {
    ...channelOptions,
    ...serverNameOption(o.serverSpiffeId),
  });
  const calls = Object.entries(o.definition).map(([name, method]) => [
    name,
    clientCall(client, method, o.clock),
  ]);
  return Object.fromEntries([...calls, ['close', () => client.close()]]);
}

function clientCall(client: Client, method: Method, clock: Clock): unknown {
  const { path, requestSerialize, responseDeserialize } = method;
  if (method.requestStream)
    return (wish: CallWish = {}) => {
      const { metadata, options, span } = outgoing(path, wish, clock, undefined);
      return followed(
        client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options),
        span,
        wish.signal,
      );
    };
  if (method.responseStream)
    return (request: unknown, wish: CallWish = {}) => {
      const { metadata, options, span } = outgoing(path, wish, clock, undefined);
      return followed(
        client.makeServerStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          options,
        ),
        span,
        wish.signal,
      );
    };
  return (request: unknown, wish: CallWish = {}) => unaryCall(client, method, request, wish, clock);
}

/** The stream, which its signal cancels and which ends its span. */
function followed<Stream extends ClientReadableStream<unknown> | ClientDuplexStream<never, unknown>>(
  stream: Stream,
  span: Span,
  signal: AbortSignal | undefined,
): Stream {
  const abort = () => stream.cancel();
  let ended = false;
  const end = (code?: status) => {
    if (ended) return;
    ended = true;
    signal?.removeEventListener('abort', abort);
    endSpan(span, code === undefined || code === status.OK ? undefined : status[code]);
  };
  // Monitored and not listened to: an error that nobody listens for must still be thrown.
  stream.once(errorMonitor, ({ code }: Partial<ServiceError>) => end(code));
  stream.once('status', ({ code }: StatusObject) => end(code));
  stream.once('close', () => end());
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  return stream;
}

function unaryCall(
  client: Client,
  method: Method,
  request: unknown,
  wish: CallWish,
  clock: Clock,
): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    const { metadata, options, span } = outgoing(path, wish, clock, defaultDeadlineMs);
    const running = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      (error: ServiceError | null, answer: unknown) => {
        wish.signal?.removeEventListener('abort', abort);
        endSpan(span, error === null ? undefined : status[error.code]);
        if (error === null) resolve(answer);
        else reject(error);
      },
    );
    const abort = () => running.cancel();
    wish.signal?.addEventListener('abort', abort, { once: true });
    if (wish.signal?.aborted === true) abort();
  });
}

function outgoing(path: string, wish: CallWish, clock: Clock, defaultMs: number | undefined) {
  const traced = startSpan({
    name: path.slice(1),
    kind: SpanKind.CLIENT,
    parent: parentOf(wish),
    clock,
    attributes: { 'rpc.system': 'grpc', 'rpc.method': path.slice(1) },
  });
  const metadata = new Metadata();
  metadata.set(TRACEPARENT_KEY, traced.traceparent);
  if (traced.tracestate !== '') metadata.set(TRACESTATE_KEY, traced.tracestate);
  if (wish.call !== undefined) metadata.set(CAUSE_KEY, wish.call.callId);
  const deadline = deadlineOf(wish, defaultMs);
  const options: CallOptions = deadline === undefined ? {} : { deadline };
  return { metadata, options, span: traced.span };
}

/** When the answer must be there, by the machine's clock. */
function deadlineOf({ deadlineMs, call }: CallWish, defaultMs: number | undefined): number | undefined {
  const timed: TimedCall | undefined = call;
  // Some of what the call had when it arrived is gone by now.
  if (deadlineMs === undefined && timed?.endsAtMs !== undefined) return timed.endsAtMs;
  const leftMs = deadlineMs ?? call?.deadlineMs ?? defaultMs;
  return leftMs === undefined ? undefined : machineMs() + leftMs;
}

/** The trace asked for, that of the call acted for, or the one that is active in this process. */
function parentOf(wish: CallWish): Partial<TracePoint> {
  if (wish.trace !== undefined) return wish.trace;
  if (wish.call !== undefined) return wish.call;
  const active = trace.getSpanContext(context.active());
  return active === undefined ? {} : { traceparent: formatTraceparent(active) };
}
