import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { refusalOf } from '../src/refusal-of.js';
import { emptyAnswer, type House, openHouse } from './certificate-house.js';
import { ADMIN_ID, AGENT_ID, newPeers, type Peers } from './trusted-peers.js';

const exporter = new InMemorySpanExporter();
const request = { subjectId: AGENT_ID, keyId: '', requestId: '' };

let peers: Peers;
let house: House;

beforeAll(async () => {
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  peers = await newPeers();
  house = await openHouse(peers);
});

afterAll(async () => {
  trace.disable();
  await house.close();
  await peers.remove();
});

it('records a call as one span of the client and one of the server, in the trace the facts carry', async () => {
  exporter.reset();
  let traceparent = '';
  house.answer = async (_request, call) => {
    traceparent = call.traceparent;
    return emptyAnswer;
  };
  await house.client(await peers.identity(`/person/${ADMIN_ID}`)).issueCertificate(request);
  const spans = exporter.getFinishedSpans();
  const client = spans.find(({ kind }) => kind === SpanKind.CLIENT);
  const server = spans.find(({ kind }) => kind === SpanKind.SERVER);
  expect(spans).toHaveLength(2);
  expect(server?.name).toBe('writ.registry.v1.CertificateService/IssueCertificate');
  expect(server?.parentSpanContext?.spanId).toBe(client?.spanContext().spanId);
  const { traceId, spanId } = server?.spanContext() ?? {};
  expect(traceparent).toBe(`00-${traceId}-${spanId}-01`);
  expect(client?.spanContext().traceId).toBe(traceId);
});

it('records a failure by its closed code and never by its cause', async () => {
  exporter.reset();
  house.answer = async () => {
    throw new Error('hunter2');
  };
  const call = house.client(await peers.identity(`/person/${ADMIN_ID}`)).issueCertificate(request);
  expect(await call.catch((error) => refusalOf(error)?.reason)).toBe('INTERNAL');
  const server = exporter.getFinishedSpans().find(({ kind }) => kind === SpanKind.SERVER);
  expect(server?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'INTERNAL' });
  expect(JSON.stringify(server?.attributes)).not.toContain('hunter2');
  expect(server?.events).toEqual([]);
});
