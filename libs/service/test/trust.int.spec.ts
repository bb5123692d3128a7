import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../src/clock.js';
import { Readiness } from '../src/readiness.js';
import { startServer } from '../src/server.js';
import { createLogger, Telemetry } from '../src/telemetry.js';
import { Identity, issuedIdentity, loadIdentity, newMaterial, saveIdentity } from '../src/trust/identity.js';
import { MutualTls } from '../src/trust/mutual-tls.js';
import { formatSpiffeId, parseSpiffeId } from '../src/trust/spiffe.js';
import { createTrustDomain, openTrustDomain } from '../src/trust/trust-domain.js';
import { AGENT_ID, newPeers, type Peers, ShiftedClock } from './trusted-peers.js';

const dayMs = 24 * 60 * 60 * 1000;
const spiffeId = `spiffe://writ.test/agent/${AGENT_ID}`;

let peers: Peers;
let folder: string;

beforeEach(async () => {
  peers = await newPeers();
  folder = await mkdtemp(join(tmpdir(), 'writ-identity-'));
});

afterEach(async () => {
  await peers.remove();
  await rm(folder, { recursive: true });
});

describe('a trust domain', () => {
  it('lies in a folder that only its owner can read', async () => {
    expect((await stat(peers.dir)).mode & 0o777).toBe(0o700);
    for (const file of ['root.key', 'issuing.key', 'root.crt', 'issuing.crt'])
      expect((await stat(join(peers.dir, file))).mode & 0o777).toBe(0o600);
  });

  it('is not made twice in one folder', async () => {
    await expect(
      createTrustDomain({ name: 'writ.test', dir: peers.dir, clock: new SystemClock() }),
    ).rejects.toThrow();
  });

  it('is opened again with the same root, and not under another name', async () => {
    const again = await openTrustDomain({ name: 'writ.test', dir: peers.dir, clock: new SystemClock() });
    expect(again.rootPem).toBe(peers.domain.rootPem);
    await expect(
      openTrustDomain({ name: 'other', dir: peers.dir, clock: new SystemClock() }),
    ).rejects.toThrow('not that of trust domain');
  });

  it('renews its issuing key when half of its life is over, below the same root', async () => {
    const clock = new ShiftedClock(0);
    const domain = await openTrustDomain({ name: 'writ.test', dir: peers.dir, clock });
    const first = (await domain.issuer()).issuingPem;
    clock.shiftMs = 14 * dayMs;
    expect((await domain.issuer()).issuingPem).toBe(first);
    clock.shiftMs = 16 * dayMs;
    const renewed = (await domain.issuer()).issuingPem;
    expect(renewed).not.toBe(first);
    const root = new X509Certificate(domain.rootPem);
    expect(new X509Certificate(renewed).verify(root.publicKey)).toBe(true);
    expect(new X509Certificate(renewed).checkIssued(root)).toBe(true);
  });

  it('issues leaves with exactly one URI name, no authority, and no longer life than its own', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issued = await peers.domain.issue({ spiffeId, publicKey, ttlSeconds: 80 * 24 * 60 * 60 });
    const leaf = new X509Certificate(issued.chainPem);
    expect(leaf.subjectAltName).toBe(`URI:${spiffeId}`);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(issued.notAfter.getTime()).toBeLessThanOrEqual((await peers.domain.issuer()).notAfter.getTime());
    expect(issued.certificateSha256).toBe(
      Buffer.from(leaf.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    );
  });

  it('issues nothing for names that are not its own', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const other of [
      `spiffe://other.test/agent/${AGENT_ID}`,
      'spiffe://writ.test/agent/../service/vault',
      'x',
    ])
      await expect(peers.domain.issue({ spiffeId: other, publicKey, ttlSeconds: 60 })).rejects.toThrow(
        'no SPIFFE ID',
      );
    await expect(peers.domain.issue({ spiffeId, publicKey, ttlSeconds: 0 })).rejects.toThrow('ttlSeconds');
  });

  it('certifies P-256 keys only', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await expect(peers.domain.issue({ spiffeId, publicKey, ttlSeconds: 60 })).rejects.toThrow();
  });
});

describe('an identity', () => {
  it('is saved for its owner only and loaded as it was', async () => {
    const material = await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 });
    await saveIdentity(folder, material);
    expect((await stat(join(folder, 'tls.key'))).mode & 0o777).toBe(0o600);
    const identity = await loadIdentity(folder);
    expect(identity.current().certificateSha256).toBe(material.certificateSha256);
    expect(identity.trustDomain).toBe('writ.test');
    identity.stop();
  });

  it('takes new files over when it is renewed, and never those of somebody else', async () => {
    await saveIdentity(folder, await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 }));
    const identity = await loadIdentity(folder);
    const next = await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 });
    await saveIdentity(folder, next);
    await identity.renew();
    expect(identity.current().certificateSha256).toBe(next.certificateSha256);
    const other = { trustDomain: peers.domain, spiffeId: 'spiffe://writ.test/service/vault', ttlSeconds: 60 };
    await saveIdentity(folder, await newMaterial(other));
    await expect(identity.renew()).rejects.toThrow('not of');
    expect(identity.current().certificateSha256).toBe(next.certificateSha256);
    identity.stop();
  });

  it('is not loaded when key and certificate do not belong together', async () => {
    await saveIdentity(folder, await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 }));
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(folder, 'tls.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await expect(loadIdentity(folder)).rejects.toThrow('is not the key of the certificate');
  });

  it.each([
    ['nothing', ''],
    ['no certificate', '# roots follow\n'],
    ['half a certificate', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
  ])('is neither loaded nor taken over when there is %s in `ca.crt`', async (_title, roots) => {
    const material = await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 });
    await saveIdentity(folder, material);
    const identity = await loadIdentity(folder);
    await writeFile(join(folder, 'ca.crt'), roots);
    await expect(identity.renew()).rejects.toThrow('ca.crt');
    expect(identity.current().rootsPem).toBe(material.rootsPem);
    await expect(loadIdentity(folder)).rejects.toThrow('ca.crt');
    identity.stop();
  });

  it('without roots is none, for Node would trust every public authority', async () => {
    const material = await newMaterial({ trustDomain: peers.domain, spiffeId, ttlSeconds: 60 });
    const rootless = { ...material, rootsPem: '' };
    expect(() => new Identity(rootless)).toThrow('no certificate');
    const unguarded = Object.assign(new Identity(material), { current: () => rootless });
    expect(() => new MutualTls(unguarded)).toThrow('no certificate');
  });

  it('of a server is renewed while the server runs', async () => {
    const clock = new ShiftedClock(0);
    const identity = await issuedIdentity({
      trustDomain: peers.domain,
      spiffeId: 'spiffe://writ.test/service/vault',
      ttlSeconds: 3600,
      clock,
    });
    const server = await startServer({
      identity,
      listen: '127.0.0.1:0',
      edges: [],
      parts: {
        clock,
        trustDomain: 'writ.test',
        roles: { rolesOf: async () => new Set() },
        telemetry: new Telemetry(createLogger({ service: 'vault', level: 'error' })),
      },
      readiness: new Readiness(() => clock.monotonicMs()),
      reflection: false,
    });
    const caller = await peers.identity('/service/registry');
    const before = await presentedBy(server.address, caller);
    expect(before).toBe(identity.current().certificateSha256);
    clock.shiftMs = 31 * 60 * 1000;
    await identity.renew();
    const after = await presentedBy(server.address, caller);
    expect(after).toBe(identity.current().certificateSha256);
    expect(after).not.toBe(before);
    identity.stop();
    await server.stop();
  });
});

/** Thumbprint of the certificate a server presents to a new connection. */
async function presentedBy(address: string, caller: Identity): Promise<string> {
  const [host, port] = address.split(':');
  const { chainPem, keyPem, rootsPem } = caller.current();
  const socket = tlsConnect({
    host,
    port: Number(port),
    cert: chainPem,
    key: keyPem.reveal(),
    ca: rootsPem,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
}

describe('SPIFFE IDs', () => {
  it.each([
    `spiffe://writ.test/agent/${AGENT_ID}`,
    'spiffe://writ.test/service/policy-engine',
    'spiffe://writ.test/enforcement-point/erp-1',
    'spiffe://writ.test/bootstrap',
  ])('`%s` is read and spelled the same', (uri) => {
    const parsed = parseSpiffeId(uri);
    expect(parsed && formatSpiffeId(parsed)).toBe(uri);
  });

  it.each([
    '',
    'https://writ.test/service/vault',
    'spiffe://writ.test',
    'spiffe://writ.test/service',
    'spiffe://writ.test/service/vault/',
    'spiffe://writ.test/service/vault/more',
    'spiffe://writ.test/service/Vault',
    'spiffe://writ.test/bootstrap/again',
    'spiffe://Writ.test/service/vault',
    'spiffe://writ.test:443/service/vault',
    'spiffe://user@writ.test/service/vault',
    'spiffe://writ.test/service/vault?x=1',
    'spiffe://writ.test/service/vault#x',
    'spiffe://writ.test/service/%76ault',
    'spiffe://writ.test/enforcement-point/-erp',
    `spiffe://writ.test/agent/${AGENT_ID.toLowerCase()}`,
    'spiffe://writ.test/service/vault\nspiffe://writ.test/bootstrap',
  ])('`%s` names nobody', (uri) => {
    expect(parseSpiffeId(uri)).toBeUndefined();
  });
});
