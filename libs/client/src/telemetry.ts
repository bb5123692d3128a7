import type { Metadata } from '@grpc/grpc-js';
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Decision } from './decision.js';
import type { Failure } from './failure.js';

/**
 * Spans and metrics of the client. They go to the OpenTelemetry API, which drops them when the application has no SDK.
 * Metrics carry codes and no ids.
 */
export class Telemetry {
  readonly #tracer = trace.getTracer('@writ/client');
  // Asked for when a client is opened: a meter that was taken before the SDK came stays silent for ever.
  readonly #meter = metrics.getMeter('@writ/client');
  readonly #decisions = this.#meter.createHistogram('writ.client.decision.duration', {
    unit: 's',
    description: 'From the question to its decision, by outcome and, where no answer came, by its code',
    advice: {
      explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
    },
  });
  readonly #questions = this.#meter.createHistogram('writ.client.call.questions', {
    description: 'Questions in one call; 1 is a plain Decide',
    advice: { explicitBucketBoundaries: [1, 2, 5, 10, 20, 50, 100] },
  });
  readonly #retries = this.#meter.createCounter('writ.client.retries', {
    description: 'Questions that were asked again, by the code they would have been denied with',
  });

  decided({ outcome, answered, reasonCode }: Decision, durationMs: number): void {
    this.#decisions.record(durationMs / 1000, { outcome, code: answered ? '' : reasonCode });
  }

  retried(code: string): void {
    this.#retries.add(1, { code });
  }

  /**
   * Starts the span of one call below the first question's, linked to those of the others, and writes it into the
   * metadata. Without a trace around, and without an SDK, nothing is written.
   */
  calling(path: string, asked: readonly Context[], metadata: Metadata): Span {
    this.#questions.record(asked.length);
    const [first = context.active(), ...others] = asked;
    const links = others.flatMap((other) => {
      const above = trace.getSpanContext(other);
      return above === undefined ? [] : [{ context: above }];
    });
    const attributes: Attributes = {
      'rpc.system': 'grpc',
      'rpc.method': path,
      'writ.questions': asked.length,
    };
    const span = this.#tracer.startSpan(path, { kind: SpanKind.CLIENT, attributes, links }, first);
    const point = span.spanContext();
    if (isSpanContextValid(point)) {
      const flags = point.traceFlags.toString(16).padStart(2, '0');
      metadata.set('traceparent', `00-${point.traceId}-${point.spanId}-${flags}`);
      const state = point.traceState?.serialize() ?? '';
      if (state !== '') metadata.set('tracestate', state);
    }
    return span;
  }

  called(span: Span, failure: Failure | undefined): void {
    if (failure !== undefined) {
      const message = failure.cause.status === '' ? failure.code : failure.cause.status;
      span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    span.end();
  }
}
