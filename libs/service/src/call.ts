import type { Call, Caller } from '@writ/kernel';
import type { Clock } from './clock.js';
import type { Headers } from './exchange.js';
import type { ServiceName } from './service-name.js';
import type { TracePoint } from './trace.js';
import { actorOf, serviceSpiffeId } from './trust/spiffe.js';

/** Metadata key by which one of our services says which call of its own it acts for. */
export const CAUSE_KEY = 'writ-cause';

const causePattern = /^[\x21-\x7e]{1,200}$/;

/** A call that somebody waits for. */
export interface TimedCall extends Call {
  /** When its time is over, by the machine's clock; undefined for streams, which last as long as both sides want. */
  readonly endsAtMs?: number | undefined;
}

/** The `Call` of a request from outside. Only our services are believed about the cause; others cause themselves. */
export function newCall(o: {
  clock: Clock;
  callId: string;
  at: Date;
  caller: Caller;
  metadata: Headers;
  requestId: string;
  requestHash: string;
  trace: TracePoint;
  deadlineMs: number;
  endsAtMs: number | undefined;
}): TimedCall {
  const named = textOf(o.metadata, CAUSE_KEY);
  return {
    callId: o.callId,
    at: o.at,
    actor: actorOf(o.caller),
    caller: o.caller,
    cause: o.caller.kind === 'service' && causePattern.test(named) ? named : o.callId,
    requestId: o.requestId,
    requestHash: o.requestHash,
    traceparent: o.trace.traceparent,
    tracestate: o.trace.tracestate,
    deadlineMs: o.deadlineMs,
    endsAtMs: o.endsAtMs,
    newId: (kind) => o.clock.newId(kind),
    newEventId: () => o.clock.newEventId(),
  };
}

/** Time allowed for one reaction to one fact. */
const reactionDeadlineMs = 5_000;

/** The `Call` of a service that acts by itself: a reaction to a fact, a timer. */
export function ownCall(o: {
  clock: Clock;
  service: ServiceName;
  trustDomain: string;
  certificateSha256: string;
  cause: string;
  trace: TracePoint;
  /** Makes a reaction that is delivered twice the same command; empty when there is none. */
  requestId?: string;
}): Call {
  const caller: Caller = {
    kind: 'service',
    id: o.service,
    spiffeId: serviceSpiffeId(o.trustDomain, o.service),
    certificateSha256: o.certificateSha256,
  };
  return {
    callId: o.clock.newEventId(),
    at: o.clock.now(),
    actor: actorOf(caller),
    caller,
    cause: o.cause,
    requestId: o.requestId ?? '',
    requestHash: '',
    traceparent: o.trace.traceparent,
    tracestate: o.trace.tracestate,
    deadlineMs: reactionDeadlineMs,
    newId: (kind) => o.clock.newId(kind),
    newEventId: () => o.clock.newEventId(),
  };
}

/** The first value of a metadata key as text, empty when there is none. */
export function textOf(metadata: Headers, key: string): string {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : '';
}
