import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Call } from '@writ/kernel';
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

const watcher = async () => house.watcher(await peers.identity(`/agent/${AGENT_ID}`));
const clientSpans = () => exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);

/** The gRPC status a stream fails with. */
async function failureOf(stream: NodeJS.EventEmitter): Promise<string | undefined> {
  const [error] = await once(stream, 'error').catch((cause) => [cause]);
  return refusalOf(error)?.status;
}

describe('a stream of a client', () => {
  it('is recorded as a span that ends when the stream does', async () => {
    exporter.reset();
    house.watching = (stream) => void stream.end();
    const stream = (await watcher()).watch().resume();
    expect(clientSpans()).toHaveLength(0);
    await once(stream, 'status');
    expect(clientSpans().map(({ name, status }) => [name, status.code])).toEqual([
      ['writ.watch.v1.WatchService/Watch', SpanStatusCode.UNSET],
    ]);
  });

  it('is recorded once with its status when it fails', async () => {
    exporter.reset();
    house.watching = async () => {
      throw new Error('hunter2');
    };
    const stream = (await watcher()).watch().resume();
    const ended = once(stream, 'status').catch(() => undefined);
    expect(await failureOf(stream)).toBe('INTERNAL');
    await ended;
    await delay(50);
    expect(clientSpans().map(({ status }) => status)).toEqual([
      { code: SpanStatusCode.ERROR, message: 'INTERNAL' },
    ]);
  });

  it('ends when its signal is raised, before it begins or later', async () => {
    house.watching = () => {};
    const controller = new AbortController();
    const stream = (await watcher()).watch({ signal: controller.signal, deadlineMs: 3_000 }).resume();
    const failed = failureOf(stream);
    await delay(100);
    controller.abort();
    expect(await failed).toBe('CANCELLED');
    const late = (await watcher()).watch({ signal: AbortSignal.abort(), deadlineMs: 3_000 }).resume();
    expect(await failureOf(late)).toBe('CANCELLED');
  });
});

it('a call on behalf of another has the time that is left now, not what was left when the other arrived', async () => {
  const vault = await peers.identity('/service/vault');
  let inner: Call | undefined;
  house.answer = async (_request, call) => {
    if (call.caller.kind === 'service') {
      inner = call;
      return emptyAnswer;
    }
    await delay(400);
    return house.client(vault).issueCertificate(request, { call });
  };
  const admin = await peers.identity(`/person/${ADMIN_ID}`);
  await house.client(admin).issueCertificate(request, { deadlineMs: 1_500 });
  expect(inner?.deadlineMs).toBeLessThan(1_150);
  expect(inner?.deadlineMs).toBeGreaterThan(100);
});

it('a call on behalf of a stream has the time of a call, however long the stream is open', async () => {
  const vault = await peers.identity('/service/vault');
  house.answer = async () => emptyAnswer;
  house.watching = async (stream, call) => {
    await delay(2_300);
    await house.client(vault).issueCertificate(request, { call });
    stream.end();
  };
  const stream = (await watcher()).watch().resume();
  const [{ code }] = await once(stream, 'status');
  expect(code).toBe(0);
});
