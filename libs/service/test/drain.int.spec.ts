import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WatchRequest, WatchResponse } from '@writ/contracts/writ/watch/v1/watch.js';
import { SystemClock } from '../src/clock.js';
import type { Role } from '../src/edge.js';
import { probe } from '../src/probe.js';
import { refusalOf } from '../src/refusal-of.js';
import { clientCredentials, serverNameOption } from '../src/trust/mutual-tls.js';
import { emptyAnswer, type House, openHouse } from './certificate-house.js';
import { ADMIN_ID, AGENT_ID, newPeers, type Peers } from './trusted-peers.js';

const clock = new SystemClock();
const request = { subjectId: AGENT_ID, keyId: '', requestId: '' };
const heartbeat: WatchResponse = {
  down: { $case: 'heartbeat', value: { epoch: 'e', headSeq: 7n, serverTime: undefined } },
};

let peers: Peers;
let house: House;

beforeEach(async () => {
  peers = await newPeers();
  house = await openHouse(peers);
});

afterEach(async () => {
  await house.close();
  await peers.remove();
});

async function openWatch(): Promise<ClientDuplexStream<WatchRequest, WatchResponse>> {
  house.watching = (stream) => void stream.write(heartbeat);
  const stream = house.watcher(await peers.identity(`/agent/${AGENT_ID}`)).watch();
  const [first] = await once(stream, 'data');
  expect(first).toEqual(heartbeat);
  return stream;
}

describe('a server that stops', () => {
  it('ends open streams with UNAVAILABLE and is gone within five seconds', async () => {
    const stream = await openWatch();
    const ended = once(stream, 'error').catch((error) => [error]);
    const startMs = clock.monotonicMs();
    await house.server.stop();
    expect(clock.monotonicMs() - startMs).toBeLessThan(2_000);
    const [error] = await ended;
    expect(refusalOf(error)).toMatchObject({ status: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
  });

  it('lets a call in flight finish', async () => {
    house.answer = async () => {
      await delay(300);
      return { ...emptyAnswer, certificateId: 'crt_finished' };
    };
    const answer = house.client(await peers.identity(`/person/${ADMIN_ID}`)).issueCertificate(request);
    await delay(150);
    await house.server.stop();
    expect((await answer).certificateId).toBe('crt_finished');
  });

  it('cuts a call that never ends', async () => {
    house.answer = () => new Promise(() => {});
    const wish = { deadlineMs: 20_000 };
    const call = house.client(await peers.identity(`/person/${ADMIN_ID}`)).issueCertificate(request, wish);
    const failed = call.catch((error) => refusalOf(error)?.status);
    await delay(150);
    const startMs = clock.monotonicMs();
    await house.server.stop();
    expect(clock.monotonicMs() - startMs).toBeLessThan(5_000);
    expect(['UNAVAILABLE', 'CANCELLED']).toContain(await failed);
  });
});

describe('a stream', () => {
  it('carries a message that was encoded once for everybody', async () => {
    const { WatchResponse: codec } = await import('@writ/contracts/writ/watch/v1/watch.js');
    const encoded = Buffer.from(codec.encode(heartbeat).finish());
    house.watching = (stream) => void stream.write(encoded);
    const stream = house.watcher(await peers.identity(`/agent/${AGENT_ID}`)).watch();
    const [first] = await once(stream, 'data');
    expect(first).toEqual(heartbeat);
    stream.cancel();
    await once(stream, 'error').catch(() => undefined);
  });

  it('ends with the mapped error when its handler fails', async () => {
    house.watching = async () => {
      throw new Error('the table of locks is hunter2');
    };
    const stream = house.watcher(await peers.identity(`/agent/${AGENT_ID}`)).watch();
    stream.on('data', () => {});
    const [error] = await once(stream, 'error').catch((cause) => [cause]);
    expect(refusalOf(error)).toMatchObject({ status: 'INTERNAL', reason: 'INTERNAL' });
    expect(String(error)).not.toContain('hunter2');
  });

  it('is forgotten when its caller goes while the roles are read', async () => {
    await house.close();
    const { promise: roles, resolve: read } = Promise.withResolvers<ReadonlySet<Role>>();
    const asked = Promise.withResolvers<void>();
    const rolesOf = () => {
      asked.resolve();
      return roles;
    };
    house = await openHouse(peers, { roles: { rolesOf } });
    let watched = false;
    house.watching = () => {
      watched = true;
    };
    const stream = house.watcher(await peers.identity(`/person/${ADMIN_ID}`)).watch();
    const ended = once(stream.resume(), 'error').catch((cause) => [cause]);
    await asked.promise;
    stream.cancel();
    await ended;
    await delay(200);
    read(new Set(['security']));
    await delay(200);
    expect(watched).toBe(false);
    expect(house.logged.filter((line) => line.includes('WatchService/Watch'))).toHaveLength(1);
  });

  it('is refused to a caller without a row', async () => {
    const stream = house.watcher(await peers.identity(`/person/${ADMIN_ID}`)).watch();
    stream.on('data', () => {});
    const [error] = await once(stream, 'error').catch((cause) => [cause]);
    expect(refusalOf(error)?.reason).toBe('CALLER_NOT_ALLOWED');
  });
});

describe('health', () => {
  it('is SERVING while nothing is missing', async () => {
    let databaseAnswers = true;
    house.readiness.add('database', () => databaseAnswers);
    const target = {
      identity: await peers.identity(`/person/${ADMIN_ID}`),
      address: house.server.address,
      serverSpiffeId: 'spiffe://writ.test/service/registry',
    };
    expect(await probe(target)).toBe('SERVING');
    databaseAnswers = false;
    await delay(600);
    expect(await probe(target)).toBe('NOT_SERVING');
    await house.server.stop();
    expect(await probe(target)).toBe('UNREACHABLE');
  });

  it('is asked with a certificate only', async () => {
    const client = new Client(house.server.address, credentials.createSsl(Buffer.from(peers.domain.rootPem)));
    const error = await new Promise<Error | undefined>((resolve) =>
      client.waitForReady(clock.now().getTime() + 500, resolve),
    );
    client.close();
    expect(error).toBeInstanceOf(Error);
  });
});

it('tells a person with a certificate what the server serves, when reflection is on', async () => {
  await house.close();
  house = await openHouse(peers, { reflection: true });
  const caller = await peers.identity(`/person/${ADMIN_ID}`);
  const server = 'spiffe://writ.test/service/registry';
  const client = new Client(
    house.server.address,
    clientCredentials(caller, server),
    serverNameOption(server),
  );
  const { encode, decode } = await reflectionCodec();
  const stream = client.makeBidiStreamRequest(
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    encode,
    decode,
  );
  stream.write({ listServices: '' });
  const [answer] = await once(stream, 'data');
  stream.end();
  client.close();
  const names = answer.listServicesResponse.service.map(({ name }: { name: string }) => name);
  expect(names).toEqual(
    expect.arrayContaining(['writ.registry.v1.CertificateService', 'writ.watch.v1.WatchService']),
  );
});

/** The codec of server reflection, from the package that serves it. */
async function reflectionCodec() {
  const { createRequire } = await import('node:module');
  const { loadSync } = await import('@grpc/proto-loader');
  const { dirname, join } = await import('node:path');
  const entry = createRequire(import.meta.url).resolve('@grpc/reflection');
  const proto = join(dirname(entry), '..', 'proto', 'grpc', 'reflection', 'v1', 'reflection.proto');
  const service = loadSync(proto, { keepCase: false })['grpc.reflection.v1.ServerReflection'];
  const method = Reflect.get(service ?? {}, 'ServerReflectionInfo');
  return { encode: method.requestSerialize, decode: method.responseDeserialize };
}
