import {
  context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

/** A span may have 128 links by default (OpenTelemetry specification, SDK span limits). */
const LINKS_MAX = 128;
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const tracer = trace.getTracer('@writ/event-bus');

interface Traced {
  readonly traceparent: string;
}

/** Facts that are read only when somebody records the span. */
interface UnreadFacts {
  readonly count: number;
  read(): Promise<readonly Traced[]>;
}

/**
 * Runs `work` in a span of its own trace, linked to the calls that appended the facts: as children they would
 * make spans as long as the bus was behind. Costs next to nothing when no SDK is registered.
 */
export async function traceBatch<T>(
  kind: 'publish' | 'process',
  topic: string,
  facts: readonly Traced[] | UnreadFacts,
  work: () => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(
    `${kind} ${topic}`,
    {
      kind: kind === 'publish' ? SpanKind.PRODUCER : SpanKind.CONSUMER,
      root: true,
      attributes: {
        'messaging.operation.name': kind,
        'messaging.destination.name': topic,
        'messaging.batch.message_count': 'read' in facts ? facts.count : facts.length,
      },
    },
    context.active(),
  );
  try {
    if (span.isRecording()) span.addLinks(linksOf('read' in facts ? await facts.read() : facts));
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    failed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function failed(span: Span, error: unknown): void {
  // Not the message: it may quote what a record holds.
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
}

function linksOf(facts: readonly Traced[]): Link[] {
  const links: Link[] = [];
  for (const { traceparent } of facts) {
    if (links.length === LINKS_MAX) break;
    const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
    if (traceId === undefined || spanId === undefined || flags === undefined) continue;
    const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
    links.push({ context: { traceId, spanId, traceFlags, isRemote: true } });
  }
  return links;
}
