import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventStore } from '@writ/event-store';
import {
  createTrustDomain,
  Identity,
  MAX_REQUEST_BYTES,
  newMaterial,
  type RunningService,
  SettingsError,
  startFromEnvironment,
} from '@writ/service';
import { policyEngineService } from '../src/policy-engine.module.js';
import type { Worker } from './asking.js';
import { AuthzenClient, evaluation } from './authzen-client.js';
import { House } from './house.js';
import { registryService as quietService } from './neighbours.js';

const EVALUATION = '/access/v1/evaluation';

let house: House;
let worker: Worker;
let point: AuthzenClient;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
  point = AuthzenClient.of(house.engine, house.gateway);
}, 120_000);

afterAll(async () => {
  point?.close();
  await house?.stop();
});

/** A connection on which a test says what it likes, and what came back when the other side had ended it. */
async function raw(
  engine: RunningService,
  identity: Identity,
): Promise<{ socket: TLSSocket; heard: Promise<string> }> {
  const { hostname: host, port } = new URL(`https://${engine.httpAddress}`);
  const { rootsPem: ca, chainPem: cert, keyPem } = identity.current();
  const socket = connect({
    host,
    port: Number(port),
    ca,
    cert,
    key: keyPem.reveal(),
    checkServerIdentity: () => undefined,
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const heard = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(text));
    socket.on('error', () => undefined);
  });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return { socket, heard };
}

const statusOf = (heard: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1]);
const head = (length: number | string, extra = '') =>
  `POST ${EVALUATION} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${extra}\r\n`;

describe('a connection', () => {
  const attempt = (material: ConstructorParameters<typeof AuthzenClient>[1]) => {
    const client = new AuthzenClient(house.engine.httpAddress ?? '', material);
    const answer = client.post(EVALUATION, evaluation(worker, '5')).then(
      ({ status }) => status,
      () => 'no answer',
    );
    return answer.finally(() => client.close());
  };

  it('is not made without a certificate', async () =>
    expect(await attempt({ rootsPem: house.gateway.current().rootsPem })).toBe('no answer'));

  it('is not made with a certificate of another authority', async () => {
    const { clock, folder } = house.world;
    const elsewhere = await createTrustDomain({ name: 'writ.test', dir: join(folder, 'elsewhere'), clock });
    const { spiffeId, rootsPem } = house.gateway.current();
    const { chainPem, keyPem } = await newMaterial({ trustDomain: elsewhere, spiffeId, ttlSeconds: 3_600 });
    expect(await attempt({ rootsPem, chainPem, keyPem: keyPem.reveal() })).toBe('no answer');
  });

  it('is made with the renewed certificate of the service, without a restart', async () => {
    const spiffeId = 'spiffe://writ.test/service/policy-engine';
    const wish = { trustDomain: house.world.trust, ttlSeconds: 3_600, spiffeId };
    const failed = (cause: unknown) => {
      throw cause;
    };
    const own = new Identity(await newMaterial(wish), {
      next: () => newMaterial(wish),
      waitMs: () => 3_600_000,
      failed,
    });
    const engine = await house.startEngine({ identity: own });
    const before = await raw(engine, house.gateway);
    const first = before.socket.getPeerCertificate().serialNumber;
    await own.renew();
    const after = await raw(engine, house.gateway);
    expect(after.socket.getPeerCertificate().serialNumber).not.toBe(first);
    before.socket.destroy();
    after.socket.destroy();
    await engine.stop();
  }, 60_000);
});

describe('a request', () => {
  it.each<[string, string, string, Record<string, string>, number, string]>([
    ['on an unknown path', 'POST', '/access/v2/evaluation', {}, 404, 'ROUTE_UNKNOWN'],
    ['with the path in another spelling', 'POST', '/access/v1/Evaluation', {}, 404, 'ROUTE_UNKNOWN'],
    ['with the wrong method', 'PUT', EVALUATION, {}, 405, 'METHOD_NOT_ALLOWED'],
    ['to read what is to be posted', 'GET', EVALUATION, {}, 405, 'METHOD_NOT_ALLOWED'],
    ['without a content type', 'POST', EVALUATION, { 'content-type': '' }, 400, 'HEADER_INVALID'],
    ['of another content type', 'POST', EVALUATION, { 'content-type': 'text/plain' }, 400, 'HEADER_INVALID'],
    [
      'in another encoding',
      'POST',
      EVALUATION,
      { 'content-type': 'application/json; charset=latin1' },
      400,
      'HEADER_INVALID',
    ],
    ['with an id too long', 'POST', EVALUATION, { 'x-request-id': 'x'.repeat(201) }, 400, 'HEADER_INVALID'],
    [
      'with an id that cannot be printed',
      'POST',
      EVALUATION,
      { 'x-request-id': 'caf\u00e9' },
      400,
      'HEADER_INVALID',
    ],
    ['for a host that is none', 'POST', EVALUATION, { host: 'x"/y' }, 400, 'HEADER_INVALID'],
  ])('%s is told so', async (_, method, path, headers, status, reason) => {
    const sent = { 'content-type': 'application/json', ...headers };
    const answer = await point.send(method, path, method === 'GET' ? '' : '{}', sent);
    expect([answer.status, answer.json.reason]).toEqual([status, reason]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers.allow).toBe(status === 405 ? 'POST' : undefined);
  });

  it('has its id on every answer, whatever becomes of it', async () => {
    const id = { 'x-request-id': 'r-1 of 7' };
    const answers = [
      await point.post(EVALUATION, evaluation(worker, '5'), id),
      await point.post(EVALUATION, '{', id),
      await point.post('/nowhere', '{}', id),
      await point.post(EVALUATION, evaluation(worker, '5', { token: 'x' }), id),
      await point.send('DELETE', EVALUATION, '', id),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 404, 401, 405]);
    expect(answers.map(({ headers }) => headers['x-request-id'])).toEqual(Array(5).fill('r-1 of 7'));
  });

  it('has a trace that a caller may give it, and an id of its own', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { headers, json } = await point.post(EVALUATION, evaluation(worker, '5'), { traceparent });
    expect(headers['writ-call-id']).toMatch(/^[0-9a-f-]{36}$/);
    const pos = Number(json.context.position.pos);
    const [fact] = await house.engine.app.get(EventStore).readAfter(pos - 1, 1);
    expect(fact?.meta.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-/);
    expect(fact?.meta.callId).toBe(headers['writ-call-id']);
  });

  it('that is refused costs nobody a connection', async () => {
    const { socket, heard } = await raw(house.engine, house.gateway);
    const body = '{}';
    const refused = head(body.length).replace(EVALUATION, '/nowhere') + body;
    socket.write(
      `${refused}${refused}GET /.well-known/authzen-configuration HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect([...(await heard).matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual([
      '404',
      '404',
      '200',
    ]);
  });

  it('of exactly 1 MiB is read, and one byte more is too much', async () => {
    const text = JSON.stringify({ ...evaluation(worker, '5'), filler: '@' });
    const filled = (bytes: number) => text.replace('@', 'x'.repeat(bytes - text.length + 1));
    const most = await point.post(EVALUATION, filled(MAX_REQUEST_BYTES));
    expect([most.status, most.json.decision]).toEqual([200, true]);
    const more = await point.post(EVALUATION, filled(MAX_REQUEST_BYTES + 1));
    expect([more.status, more.json.reason]).toEqual([413, 'BODY_TOO_LARGE']);
  });

  it('that grows without saying how far is cut when it is too large', async () => {
    const { socket, heard } = await raw(house.engine, house.gateway);
    socket.write(head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked'));
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let sent = 0; sent < 20 && !socket.destroyed; sent += 1) socket.write(chunk);
    expect(statusOf(await heard)).toBe(413);
  });

  it('whose headers never end has its connection ended', async () => {
    const { socket, heard } = await raw(house.engine, house.gateway);
    socket.write(`POST ${EVALUATION} HTTP/1.1\r\nHost: x\r\n`);
    const drip = setInterval(() => socket.write('X-Slow: 1\r\n'), 200);
    const answer = await heard;
    clearInterval(drip);
    expect(statusOf(answer)).toBe(408);
  }, 20_000);

  it('whose body never ends has its connection ended', async () => {
    const { socket, heard } = await raw(house.engine, house.gateway);
    socket.write(head(1_000));
    const drip = setInterval(() => socket.write(' '), 200);
    const answer = await heard;
    clearInterval(drip);
    expect(statusOf(answer)).toBe(408);
  }, 30_000);

  it('with headers beyond 8 KiB is refused', async () => {
    const { socket, heard } = await raw(house.engine, house.gateway);
    socket.write(head(2, `X-Big: ${'x'.repeat(9_000)}\r\n`));
    expect(statusOf(await heard)).toBe(431);
  });

  it('in HTTP/1.0 is refused, and so is one with two lengths', async () => {
    const old = await raw(house.engine, house.gateway);
    old.socket.write(`${head(2).replace('HTTP/1.1', 'HTTP/1.0')}{}`);
    expect(statusOf(await old.heard)).toBe(505);
    const smuggled = await raw(house.engine, house.gateway);
    smuggled.socket.write(`${head(2, 'Transfer-Encoding: chunked\r\n')}0\r\n\r\n`);
    expect(statusOf(await smuggled.heard)).toBe(400);
  });

  it('that breaks off leaves the service as it was', async () => {
    for (let time = 0; time < 20; time += 1) {
      const { socket } = await raw(house.engine, house.gateway);
      socket.write(`${head(1_000)}{"subject":`);
      socket.destroy();
    }
    expect((await point.post(EVALUATION, evaluation(worker, '5'))).status).toBe(200);
  });
});

describe('a service that stops', () => {
  it('answers what is in flight, says that it is the last answer, and takes nothing more', async () => {
    const engine = await house.startEngine();
    const { socket, heard } = await raw(engine, house.gateway);
    const body = JSON.stringify(evaluation(worker, '5'));
    socket.write(head(Buffer.byteLength(body)) + body.slice(0, 100));
    await house.until(async () => socket.bytesWritten > 0);
    // The request has begun on the other side once a later one on another connection is answered.
    const client = AuthzenClient.of(engine, house.gateway);
    await client.post(EVALUATION, evaluation(worker, '6'));
    client.close();
    const stopped = engine.stop();
    socket.write(body.slice(100));
    const answer = await heard;
    expect(statusOf(answer)).toBe(200);
    // Its own background stops first: an answer that comes that late may be a deny, and is one all the same.
    expect(answer).toMatch(/"decision":(true|false),"context":\{"decision_id":"dec_/);
    expect(answer.toLowerCase()).toContain('connection: close');
    await stopped;
    await expect(AuthzenClient.of(engine, house.gateway).get('/')).rejects.toThrow();
  }, 20_000);

  it('waits for nobody who stays silent', async () => {
    const engine = await house.startEngine();
    const idle = await raw(engine, house.gateway);
    const slow = await raw(engine, house.gateway);
    slow.socket.write(head(1_000));
    const { hostname: host, port } = new URL(`https://${engine.httpAddress}`);
    const silent = connect({ host, port: Number(port), rejectUnauthorized: false });
    silent.on('error', () => undefined);
    await engine.stop();
    await Promise.all([idle.heard, slow.heard]);
    silent.destroy();
  }, 20_000);
});

describe('the address', () => {
  it('must be set where there are HTTP edges, and is no setting elsewhere', async () => {
    const start = (service: typeof policyEngineService, environment: Record<string, string>) =>
      startFromEnvironment(service, environment).catch((error: unknown) => error);
    const missing = await start(policyEngineService, {});
    expect(missing).toBeInstanceOf(SettingsError);
    expect(String(missing)).toContain('WRIT_HTTP_LISTEN is missing');
    expect(String(await start(quietService, {}))).not.toContain('WRIT_HTTP_LISTEN');
    expect(String(await start(quietService, { WRIT_HTTP_LISTEN: '127.0.0.1:0' }))).toContain(
      'WRIT_HTTP_LISTEN is no setting of this service',
    );
  });
});
