import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { context, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { DecideWish, Decision, DecisionClient } from '../src/index.js';
import { EngineHouse } from './engine-house.js';

const exporter = new InMemorySpanExporter();

let there: EngineHouse;
let client: DecisionClient;

beforeAll(async () => {
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  there = await EngineHouse.build();
  client = await there.client();
}, 120_000);
afterAll(async () => {
  trace.disable();
  context.disable();
  await there?.stop();
});

/** Asks inside a span of the application; answers that span's ids. */
async function asked(wish?: DecideWish): Promise<{ decision: Decision; traceId: string; spanId: string }> {
  const tracer = trace.getTracer('application');
  return tracer.startActiveSpan('request', async (span) => {
    const decision = await client.decide(there.question(), wish);
    span.end();
    return { decision, ...span.spanContext() };
  });
}

const calls = () =>
  exporter
    .getFinishedSpans()
    .filter(({ kind, name }) => kind === SpanKind.CLIENT && name.includes('DecisionService/Decide'));

it('a question travels in the trace of whoever asks it', async () => {
  exporter.reset();
  there.methods();
  const { decision, traceId, spanId } = await asked();
  expect(decision.outcome).toBe('allow');
  const [call, ...more] = calls();
  expect(more).toEqual([]);
  expect(call?.parentSpanContext?.spanId).toBe(spanId);
  expect(there.calls.map((one) => one.traceId)).toEqual([traceId]);
});

it('questions that share a call are one span, below the first and linked to the others', async () => {
  exporter.reset();
  there.methods();
  const [first, ...others] = await Promise.all([asked(), asked(), asked()]);
  const [call, ...more] = calls();
  expect(more).toEqual([]);
  expect(call?.parentSpanContext?.spanId).toBe(first?.spanId);
  expect(call?.links.map((link) => link.context.spanId)).toEqual(others.map(({ spanId }) => spanId));
  expect(there.calls.map((one) => one.traceId)).toEqual([first?.traceId]);
});

it('a call that nobody waits for any more ends, and not before', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  await asked();
  exporter.reset();
  there.wire.hold();
  const both = [asked({ signal: one.signal }), asked({ signal: other.signal })];
  await new Promise((resolve) => setImmediate(resolve));
  one.abort();
  expect((await both[0])?.decision.reasonCode).toBe('ABORTED');
  expect(calls()).toEqual([]);
  other.abort();
  await Promise.all(both);
  await there.house.until(async () => calls().length === 1);
  expect(calls()[0]?.status.message).toBe('CANCELLED');
  there.wire.release();
});

it('a call that failed says why in its span, once for each time', async () => {
  exporter.reset();
  await there.house.engine.stop();
  expect((await asked()).decision.reasonCode).toBe('ENGINE_UNREACHABLE');
  const failed = calls();
  expect(failed.length).toBeGreaterThan(1);
  expect(new Set(failed.map(({ status }) => status.message))).toEqual(new Set(['UNAVAILABLE']));
});
