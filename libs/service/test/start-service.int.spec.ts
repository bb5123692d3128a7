import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { migrateBus } from '@writ/event-bus';
import { migrate } from '@writ/event-store';
import { startPostgres, type TestPostgres } from '@writ/testing/postgres.js';
import { type ClientOf, connect } from '../src/client.js';
import { SystemClock } from '../src/clock.js';
import { Consumers } from '../src/definition.js';
import { refusalOf } from '../src/refusal-of.js';
import { RoleDirectory } from '../src/role-directory.js';
import { Secret } from '../src/secret.js';
import type { ServiceName } from '../src/service-name.js';
import { SigningKeys } from '../src/signing-keys.js';
import { type RunningService, startService } from '../src/start-service.js';
import { createLogger } from '../src/telemetry.js';
import { broker, Heard, registry, Ticking } from './person-house.js';
import { ADMIN_ID, newPeers, type Peers } from './trusted-peers.js';

const clock = new SystemClock();
const logged: string[] = [];
const auditor = 'psn_01K41M7JG00000000000000AVD';

let peers: Peers;
let postgres: TestPostgres;
let ownerUrl: string;
let house: RunningService;
const clients: { close(): void }[] = [];

beforeAll(async () => {
  [peers, postgres] = await Promise.all([newPeers(), startPostgres()]);
  ownerUrl = await postgres.database('writ');
  house = await start(registry);
});

afterAll(async () => {
  for (const client of clients) client.close();
  await house?.stop();
  await postgres?.stop();
  await peers.remove();
});

async function start(definition: typeof registry): Promise<RunningService> {
  const role = definition.name.replaceAll('-', '_');
  await migrate({ ownerUrl, service: definition.name, runtimeRole: role, password: 'a-password-of-a-test' });
  await migrateBus({ ownerUrl, runtimeRole: role });
  return startService(definition, {
    identity: await peers.identity(`/service/${definition.name}`),
    listen: '127.0.0.1:0',
    databaseUrl: new Secret(`postgres://${role}:a-password-of-a-test@127.0.0.1:${postgres.port}/writ`),
    bus: { carrier: 'postgres' },
    logger: createLogger(
      { service: definition.name, level: 'debug' },
      { write: (line) => void logged.push(line) },
    ),
  });
}

async function clientOf(
  path: string,
  running = house,
  name: ServiceName = 'registry',
): Promise<ClientOf<typeof CertificateServiceService>> {
  const client = connect({
    identity: await peers.identity(path),
    address: running.address,
    serverSpiffeId: `spiffe://writ.test/service/${name}`,
    definition: CertificateServiceService,
    clock,
  });
  clients.push(client);
  return client;
}

async function until(what: () => boolean | Promise<boolean>, title: string): Promise<void> {
  for (let waited = 0; !(await what()); waited += 20) {
    if (waited > 10_000) throw new Error(`waited ten seconds for: ${title}`);
    await delay(20);
  }
}

const registerAdmin = { subjectId: ADMIN_ID, keyId: String(Role.ROLE_ADMIN), requestId: '' };

describe('a service that is started whole', () => {
  it('lets a person in whose role it heard of only a moment ago, and nobody it did not', async () => {
    const admin = await clientOf(`/person/${ADMIN_ID}`);
    const bootstrap = await clientOf('/bootstrap');
    const early = await admin.issueCertificate(registerAdmin).catch((error) => refusalOf(error)?.reason);
    expect(early).toBe('CALLER_NOT_ALLOWED');
    await bootstrap.issueCertificate(registerAdmin);
    // At once, without waiting for the fact to arrive: the directory waits for it.
    const answer = await admin.issueCertificate({
      ...registerAdmin,
      subjectId: auditor,
      keyId: String(Role.ROLE_AUDITOR),
    });
    expect(answer.certificateId).toBe('first, 2 people');
    const refused = await (await clientOf(`/person/${auditor}`))
      .issueCertificate(registerAdmin)
      .catch((error) => refusalOf(error)?.reason);
    expect(refused).toBe('CALLER_NOT_ALLOWED');
  });

  it('answers a retry with the first answer and refuses another request under the same id', async () => {
    const bootstrap = await clientOf('/bootstrap');
    const retry = { subjectId: 'psn_01K41M7JG0000000000000THRD', keyId: '3', requestId: clock.newEventId() };
    expect((await bootstrap.issueCertificate(retry)).certificateId).toMatch(/^first/);
    expect((await bootstrap.issueCertificate(retry)).certificateId).toMatch(/^again/);
    const reused = bootstrap.issueCertificate({ ...retry, keyId: '1' });
    await expect(reused.catch((error) => refusalOf(error)?.reason)).resolves.toBe('REQUEST_ID_REUSED');
  });

  it('carries one trace from the call to the fact and on to the reaction', async () => {
    const heard = house.app.get(Heard);
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const subjectId = 'psn_01K41M7JG0000000000000TRCE';
    await (await clientOf('/bootstrap')).issueCertificate(
      { subjectId, keyId: '2', requestId: '' },
      { trace: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } },
    );
    await until(() => heard.facts.some(({ partKey }) => partKey === subjectId), 'the fact');
    const index = heard.facts.findIndex(({ partKey }) => partKey === subjectId);
    expect(heard.facts[index]?.traceparent).toContain(traceId);
    expect(heard.facts[index]?.actor).toBe('bootstrap');
    expect(heard.calls[index]).toMatchObject({
      actor: 'service/registry',
      cause: `fact:registry/${heard.facts[index]?.pos}`,
    });
    expect(heard.calls[index]?.traceparent).toContain(traceId);
    expect(logged.some((line) => line.includes(traceId) && line.includes('call answered'))).toBe(true);
  });

  it('knows the signing keys of another service and forgets what it never knew', async () => {
    const brokerHouse = await start(broker);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
    const keys = house.app.get(SigningKeys);
    expect(keys.find('key_one')).toBeUndefined();
    const client = await clientOf('/bootstrap', brokerHouse, 'session-broker');
    await client.issueCertificate({ subjectId: 'key_one', keyId: jwk, requestId: '' });
    await until(() => keys.find('key_one') !== undefined, 'the key');
    expect(keys.find('key_one')?.equals(publicKey)).toBe(true);
    const before = keys.find('key_one');
    await keys.refresh();
    expect(keys.find('key_one')).toBe(before);
    await brokerHouse.stop();
  });

  it('is ready, and tells by the class of its reactions how far they are', async () => {
    expect(await house.readiness.failing()).toEqual([]);
    const positions = await house.app.get(Consumers).of(Heard).positions();
    expect(positions.get('registry')?.completeTo).toBeGreaterThan(0);
    expect(() => house.app.get(Consumers).of(RoleDirectory)).toThrow('not among the reactions');
  });

  it('logs no secret', () => {
    expect(logged.length).toBeGreaterThan(5);
    expect(logged.join('')).not.toContain('a-password-of-a-test');
  });

  it('stops its background first and everything else within five seconds', async () => {
    const again = await start({ ...registry, background: [Ticking] });
    const ticking = again.app.get(Ticking);
    const startMs = clock.monotonicMs();
    await again.stop();
    await again.stop();
    expect(clock.monotonicMs() - startMs).toBeLessThan(5_000);
    expect(ticking.log).toEqual(['started as service/registry', 'stopped']);
  });

  it('does not start without its database and leaves nothing running', async () => {
    const role = new Secret('postgres://registry:wrong@127.0.0.1:1/writ');
    const failed = startService(registry, {
      identity: await peers.identity('/service/registry'),
      listen: '127.0.0.1:0',
      databaseUrl: role,
      bus: { carrier: 'postgres' },
      logger: createLogger({ service: 'registry', level: 'error' }, { write: () => {} }),
    });
    await expect(failed).rejects.toThrow('starting `registry` failed');
  });
});
