import type { SpanContext } from '@opentelemetry/api';
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { Clock } from './clock.js';

/**
 * W3C trace context (Trace Context level 1) by hand at both ends of a call: it works the same with and without an
 * OpenTelemetry SDK in the process, so that a fact always carries the trace of the command that caused it.
 */
export const TRACEPARENT_KEY = 'traceparent';
export const TRACESTATE_KEY = 'tracestate';

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const tracestateMax = 512;
const tracer = trace.getTracer('writ');

/** Where a call stands in its trace. */
export interface TracePoint {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** A span with its place in the trace; `context` is what nested instrumentation needs. */
export interface TracedSpan extends TracePoint {
  readonly span: Span;
  readonly context: Context;
}

/** The span context that `traceparent` spells, or undefined for anything malformed or all zero. */
export function parseTraceparent(traceparent: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

export function formatTraceparent(point: SpanContext): string {
  return `00-${point.traceId}-${point.spanId}-${point.traceFlags.toString(16).padStart(2, '0')}`;
}

/**
 * Starts a span below `parent`, or the first of a new trace. Without an SDK the span records nothing, yet its ids are
 * fresh and valid.
 */
export function startSpan(o: {
  name: string;
  kind: SpanKind;
  parent: Partial<TracePoint>;
  clock: Clock;
  attributes?: Readonly<Record<string, string>>;
}): TracedSpan {
  const parent = parseTraceparent(o.parent.traceparent ?? '');
  const above = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  const started = tracer.startSpan(o.name, { kind: o.kind, attributes: { ...o.attributes } }, above);
  const own = started.spanContext();
  const recorded = own.spanId !== parent?.spanId && !/^0+$/.test(own.spanId);
  const point: SpanContext = recorded
    ? own
    : {
        traceId: parent?.traceId ?? o.clock.randomHex(16),
        spanId: o.clock.randomHex(8),
        traceFlags: parent?.traceFlags ?? TraceFlags.SAMPLED,
      };
  const span = recorded ? started : trace.wrapSpanContext(point);
  const tracestate = o.parent.tracestate ?? '';
  return {
    span,
    context: trace.setSpan(ROOT_CONTEXT, span),
    traceparent: formatTraceparent(point),
    tracestate: parent !== undefined && tracestate.length <= tracestateMax ? tracestate : '',
  };
}

/** Ends a span; `reason` is the closed code of what went wrong, absent when nothing did. */
export function endSpan(span: Span, reason?: string): void {
  if (reason !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
  span.end();
}

export function traceIdOf(traceparent: string): string {
  return parseTraceparent(traceparent)?.traceId ?? '';
}

export { SpanKind };
