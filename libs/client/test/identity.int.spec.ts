import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newMaterial, saveIdentity } from '@writ/service';
import { systemClock } from '../src/clock.js';
import { openClient } from '../src/index.js';
import { ENGINE_SPIFFE_ID, EngineHouse, TRUST_DOMAIN } from './engine-house.js';

const DAY_SECONDS = 86_400;

let there: EngineHouse;

beforeAll(async () => {
  there = await EngineHouse.build();
}, 120_000);
afterAll(async () => {
  await there?.stop();
});

const material = (spiffeId: string) =>
  newMaterial({ trustDomain: there.house.world.trust, spiffeId, ttlSeconds: DAY_SECONDS });

/** A client of the agent at work, by a folder of its own; its token is bound to its certificate. */
async function ownClient() {
  const dir = await there.folderOf(there.worker.identity);
  return { dir, client: await there.client({ identityDir: dir }) };
}

/** The agent's next certificate, in the folder; what it asks with a token for that one. */
async function renewedIn(dir: string) {
  const next = await material(there.worker.identity.spiffeId);
  await saveIdentity(dir, next);
  const claims = { cnf: { 'x5t#S256': next.certificateSha256 } };
  const { presentedCertificateSha256: _, ...question } = there.question();
  return { ...question, token: there.house.token(there.worker, { claims }) };
}

describe('a certificate that is renewed on disk', () => {
  it('is presented from the next look on, by the same client', async () => {
    const { dir, client } = await ownClient();
    const { presentedCertificateSha256: _, ...before } = there.question();
    expect((await client.decide(before)).outcome).toBe('allow');
    const after = await renewedIn(dir);
    expect(await client.decide(after)).toMatchObject({ cause: { reason: 'TOKEN_BINDING_MISMATCH' } });
    await client.renew();
    expect((await client.decide(after)).outcome).toBe('allow');
    expect(await client.decide(before)).toMatchObject({ cause: { reason: 'TOKEN_BINDING_MISMATCH' } });
    expect(there.wire.connections).toBe(1);
    await client.close();
  });

  it('is looked for every minute', async () => {
    const ticks: (() => void)[] = [];
    const every = (ms: number, run: () => void) => {
      expect(ms).toBe(60_000);
      ticks.push(run);
      return () => void ticks.splice(0);
    };
    const dir = await there.folderOf(there.worker.identity);
    const server = { address: there.wire.address, serverSpiffeId: ENGINE_SPIFFE_ID, deadlineMs: 10_000 };
    const client = await openClient({ ...server, identityDir: dir }, { ...systemClock, every });
    const after = await renewedIn(dir);
    for (const tick of ticks) tick();
    await there.house.until(async () => (await client.decide(after)).outcome === 'allow');
    await client.close();
    expect(ticks).toEqual([]);
  });

  it('leaves the answers alone that are under way', async () => {
    const { dir, client } = await ownClient();
    const { presentedCertificateSha256: _, ...question } = there.question();
    expect((await client.decide(question)).outcome).toBe('allow');
    const before = await there.recorded();
    there.wire.hold();
    const waiting = client.decide(question);
    await there.house.until(async () => (await there.recorded()) > before);
    await renewedIn(dir);
    await client.renew();
    there.wire.release();
    expect((await waiting).outcome).toBe('allow');
  });

  it.each<[string, (dir: string) => Promise<void>, RegExp]>([
    [
      'half written',
      async (dir) =>
        writeFile(join(dir, 'tls.crt'), (await material(there.worker.identity.spiffeId)).chainPem),
      /the key is not that of the certificate/,
    ],
    [
      'of somebody else',
      async (dir) => saveIdentity(dir, there.house.gateway.current()),
      /is of `spiffe:.*enforcement-point.*`, not of `spiffe:.*agent/,
    ],
    ['without roots', (dir) => writeFile(join(dir, 'ca.crt'), ''), /the roots of this client's identity/],
    ['gone', (dir) => rm(join(dir, 'tls.key')), /ENOENT/],
  ])('and is %s is told, and the one before stays in use', async (_what, spoil, said) => {
    const { dir, client } = await ownClient();
    await spoil(dir);
    await expect(client.renew()).rejects.toThrow(said);
    const { presentedCertificateSha256: _, ...question } = there.question();
    expect((await client.decide(question)).outcome).toBe('allow');
  });
});

describe('an identity', () => {
  it.each([
    ['a certificate that is none', { chainPem: 'hunter2' }, 'certificate'],
    ['a key that is none', { keyPem: 'hunter2' }, 'key'],
    ['roots that are none', { rootsPem: 'hunter2' }, 'roots'],
  ])('with %s opens no client, and its content is not repeated', async (_what, wrong, part) => {
    const { chainPem, keyPem, rootsPem } = there.worker.identity.current();
    const identity = { chainPem, keyPem: keyPem.reveal(), rootsPem, ...wrong };
    const opened = openClient({ address: '127.0.0.1:1', trustDomain: TRUST_DOMAIN, identity });
    const error = await opened.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toContain(`the ${part} of this client's identity`);
    expect(error?.message).not.toContain('hunter2');
  });

  it('that was handed over works as one in a folder does', async () => {
    const { chainPem, keyPem, rootsPem } = there.house.gateway.current();
    const identity = { chainPem, keyPem: keyPem.reveal(), rootsPem };
    const client = await openClient({ address: there.wire.address, trustDomain: TRUST_DOMAIN, identity });
    expect((await client.decide(there.question())).outcome).toBe('allow');
    await client.renew();
    await client.close();
  });
});

describe('a server', () => {
  it('that speaks TLS 1.2 only is not talked to, whoever it is', async () => {
    const { chainPem, keyPem, rootsPem } = await material(ENGINE_SPIFFE_ID);
    const keys = { cert: chainPem, key: keyPem.reveal(), ca: rootsPem, ALPNProtocols: ['h2'] };
    const server = createServer({ ...keys, requestCert: true, maxVersion: 'TLSv1.2' });
    const errors: string[] = [];
    server.on('tlsClientError', ({ message }) => errors.push(message));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = await there.client({ address: `127.0.0.1:${port}`, deadlineMs: 2_000 });
    expect(await client.decide(there.question())).toMatchObject({ reasonCode: 'ENGINE_UNREACHABLE' });
    expect(errors.join()).toMatch(/unsupported protocol/);
    server.close();
  });
});
