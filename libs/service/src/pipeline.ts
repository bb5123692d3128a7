import { status } from '@grpc/grpc-js';
import { context } from '@opentelemetry/api';
import { type Caller, Refusal } from '@writ/kernel';
import { newCall, textOf } from './call.js';
import { machineMs, sha256Base64Url } from './clock.js';
import { DeadlineExceeded, toWire, type WireError } from './errors.js';
import type { Exchange, PipelineParts, Rpc, Step } from './exchange.js';
import { endSpan, SpanKind, startSpan, TRACEPARENT_KEY, TRACESTATE_KEY } from './trace.js';
import { peerCaller } from './trust/peer.js';
import { actorOf } from './trust/spiffe.js';
import { check, optional, requestId } from './validate.js';

/** For calls that name no deadline. */
export const DEFAULT_DEADLINE_MS = 2_000;
/** Nobody waits longer than this for a unary answer, whatever the client asks for. */
export const MAX_DEADLINE_MS = 30_000;

/**
 * What happens to every call, in this order, outermost first; the last step calls the edge. There is no other way to
 * an edge, and no step can be left out for one call.
 */
export const pipeline: readonly Step[] = [
  traced, //     a span below the caller's; ends with the outcome
  measured, //   RED metrics and one log line; turns whatever was thrown into what may leave
  identified, // who, by the peer's certificate
  timed, //      how long, by the client's deadline within our bounds
  allowed, //    may they, by the access table; no row lets nobody in
  decoded, //    what they ask; nobody else's bytes are looked at
  called, //     the `Call` that rules and facts see
  wellFormed, // what every request has in common
];

/** Runs `steps` around `handler`. */
export function through(
  steps: readonly Step[],
  exchange: Exchange,
  handler: () => Promise<unknown>,
): Promise<unknown> {
  return steps.reduceRight<() => Promise<unknown>>((next, step) => () => step(exchange, next), handler)();
}

async function traced(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const { rpc, surface, parts } = exchange;
  const parent = {
    traceparent: textOf(surface.metadata, TRACEPARENT_KEY),
    tracestate: textOf(surface.metadata, TRACESTATE_KEY),
  };
  const traced = startSpan({
    name: rpc.path.slice(1),
    kind: SpanKind.SERVER,
    parent,
    clock: parts.clock,
    attributes: {
      'rpc.system': rpc.system,
      'rpc.method': rpc.path.slice(1),
      'writ.call_id': exchange.callId,
    },
  });
  exchange.trace = traced;
  try {
    const answer = await context.with(traced.context, next);
    endSpan(traced.span);
    return answer;
  } catch (error) {
    endSpan(traced.span, (error as WireError).reason);
    throw error;
  }
}

async function measured(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const { rpc, parts, callId } = exchange;
  const startMs = parts.clock.monotonicMs();
  const ended = (wire: WireError | undefined, cause?: unknown) =>
    parts.telemetry.callEnded({
      method: rpc.path.slice(1),
      status: status[wire?.code ?? status.OK] ?? 'UNKNOWN',
      reason: wire?.reason ?? '',
      durationMs: parts.clock.monotonicMs() - startMs,
      callId,
      traceparent: exchange.trace?.traceparent ?? '',
      actor: exchange.caller === undefined ? '' : actorOf(exchange.caller),
      cause,
    });
  try {
    const answer = await next();
    ended(undefined);
    return answer;
  } catch (error) {
    const wire = toWire(error, callId);
    ended(wire, error instanceof Refusal || error instanceof DeadlineExceeded ? undefined : error);
    throw wire;
  }
}

function identified(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  exchange.caller = peerCaller(exchange.surface, exchange.parts.trustDomain, exchange.at);
  return next();
}

function timed(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const { rpc, surface, parts } = exchange;
  const asked = Number(surface.getDeadline()) - machineMs();
  exchange.deadlineMs = Math.min(
    Number.isFinite(asked) ? Math.max(asked, 0) : DEFAULT_DEADLINE_MS,
    MAX_DEADLINE_MS,
  );
  // A stream lives as long as both sides want it; grpc-js itself ends it at a deadline the client named.
  if (rpc.streaming) return next();
  const { deadlineMs } = exchange;
  exchange.endsAtMs = machineMs() + deadlineMs;
  const answer = next();
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new DeadlineExceeded(deadlineMs));
    }, deadlineMs);
    timer.unref();
    answer.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        if (late) parts.telemetry.failedAfterDeadline(exchange.callId, rpc.path, error);
        reject(error);
      },
    );
  });
}

function allowed(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const caller = present(exchange.caller);
  if (caller.kind === 'person') return allowedByRole(exchange, caller, next);
  refuseUnfitting(exchange, caller, [caller.kind === 'service' ? `service:${caller.id}` : caller.kind]);
  return next();
}

async function allowedByRole(
  exchange: Exchange,
  caller: Caller,
  next: () => Promise<unknown>,
): Promise<unknown> {
  const held = await exchange.parts.roles.rolesOf(caller.id);
  refuseUnfitting(
    exchange,
    caller,
    [...held].map((role) => `role:${role}`),
  );
  return next();
}

function refuseUnfitting({ rpc }: Exchange, caller: Caller, fitting: readonly string[]): void {
  if (rpc.who.some((who) => fitting.includes(who))) return;
  throw new Refusal(
    'CALLER_NOT_ALLOWED',
    'forbidden',
    `\`${actorOf(caller)}\` may not call \`${rpc.path.slice(1)}\`; it is for ${rpc.who.map((who) => `\`${who}\``).join(', ') || 'nobody'}`,
  );
}

function decoded(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const { rpc, raw } = exchange;
  if (raw !== undefined) {
    try {
      exchange.request = rpc.decode(raw);
    } catch (cause) {
      if (cause instanceof Refusal) throw cause;
      // What exactly is wrong with the bytes would only help somebody who is probing.
      throw new Refusal(
        'INVALID_ARGUMENT',
        'invalid',
        `the bytes are no request of \`${rpc.path.slice(1)}\``,
      );
    }
  }
  return next();
}

function called(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const { rpc, surface, parts, request, raw } = exchange;
  const caller = present(exchange.caller);
  const key = textField(request, 'requestId');
  exchange.call = newCall({
    clock: parts.clock,
    callId: exchange.callId,
    at: exchange.at,
    caller,
    metadata: surface.metadata,
    requestId: key,
    requestHash: key === '' ? '' : requestHash(rpc, { ...request, requestId: '' }, raw),
    trace: present(exchange.trace),
    deadlineMs: exchange.deadlineMs,
    endsAtMs: exchange.endsAtMs,
  });
  return next();
}

function wellFormed(exchange: Exchange, next: () => Promise<unknown>): Promise<unknown> {
  const key = textField(exchange.request, 'requestId');
  check({ request_id: optional(key, requestId(key)) });
  return next();
}

/**
 * Method and request without its key: the same key with another hash is a reuse, not a retry. A request that cannot be
 * written again, such as one with a time beyond year 9999, goes by the bytes it came in: its edge refuses it anyway.
 */
function requestHash(rpc: Rpc, request: object, raw: Buffer | undefined): string {
  let bytes: Uint8Array = raw ?? Buffer.alloc(0);
  try {
    bytes = rpc.encode(request);
  } catch {
    // The bytes as they came are what is left.
  }
  return sha256Base64Url(Buffer.concat([Buffer.from(`${rpc.path}\n`), bytes]));
}

function textField(request: object | undefined, field: string): string {
  const value: unknown = request === undefined ? undefined : Reflect.get(request, field);
  return typeof value === 'string' ? value : '';
}

/** What an earlier step has set. Its absence would be a mistake in the order of `pipeline`. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a step of the pipeline ran before the one it needs');
  return value;
}

export type { Exchange, PipelineParts };
