import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { traceBatch } from './tracing.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('the span of a batch', () => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    trace.setGlobalTracerProvider(
      new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
    );
  });
  beforeEach(() => exporter.reset());
  afterAll(() => trace.disable());

  it('starts a trace of its own and links to each call that appended a fact', async () => {
    const facts = [{ traceparent }, { traceparent: '' }, { traceparent: 'nonsense' }];
    expect(await traceBatch('process', 'writ.registry.facts.v1', facts, async () => 'done')).toBe('done');
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'process writ.registry.facts.v1', kind: SpanKind.CONSUMER });
    expect(span?.spanContext().traceId).not.toBe('0af7651916cd43dd8448eb211c80319c');
    expect(span?.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
      ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'],
    ]);
    expect(span?.attributes['messaging.batch.message_count']).toBe(3);
  });

  it('tells that the work failed, and not what it said', async () => {
    const failing = traceBatch('publish', 't', [], async () => {
      throw new RangeError('agt_1 owes 5 euros');
    });
    await expect(failing).rejects.toThrow('agt_1');
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({
      kind: SpanKind.PRODUCER,
      status: { code: SpanStatusCode.ERROR, message: 'RangeError' },
    });
    expect(JSON.stringify(span?.events)).not.toContain('euros');
  });
});
