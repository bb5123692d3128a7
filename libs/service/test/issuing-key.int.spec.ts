import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../src/clock.js';
import { openTrustDomain, type TrustDomain } from '../src/trust/trust-domain.js';
import { AGENT_ID, newPeers, type Peers, ShiftedClock } from './trusted-peers.js';

const dayMs = 24 * 60 * 60 * 1000;
const spiffeId = `spiffe://writ.test/agent/${AGENT_ID}`;

let peers: Peers;

beforeEach(async () => {
  peers = await newPeers();
});

afterEach(() => peers.remove());

/** The issuing certificate that follows the leaf. */
function issuingPemOf(chainPem: string): string {
  return chainPem.slice(chainPem.lastIndexOf('-----BEGIN'));
}

/** A leaf of `domain` is signed by the key of the certificate below it, and that by the root. */
async function expectLeavesToVerify(domain: TrustDomain): Promise<void> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { chainPem } = await domain.issue({ spiffeId, publicKey, ttlSeconds: 60 });
  const issuing = new X509Certificate(issuingPemOf(chainPem));
  expect(new X509Certificate(chainPem).verify(issuing.publicKey)).toBe(true);
  expect(issuing.verify(new X509Certificate(domain.rootPem).publicKey)).toBe(true);
}

describe('the issuing key of a trust domain', () => {
  it('renews once for everybody who asks at the same time, and can be opened afterwards', async () => {
    const clock = new ShiftedClock(0);
    const domain = await openTrustDomain({ name: 'writ.test', dir: peers.dir, clock });
    clock.shiftMs = 16 * dayMs;
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const wishes = Array.from({ length: 12 }, () => domain.issue({ spiffeId, publicKey, ttlSeconds: 60 }));
    const chains = (await Promise.all(wishes)).map(({ chainPem }) => issuingPemOf(chainPem));
    expect(new Set(chains).size).toBe(1);
    const issuingKey = createPublicKey(await readFile(join(peers.dir, 'issuing.key'), 'utf8'));
    const onDisk = new X509Certificate(await readFile(join(peers.dir, 'issuing.crt')));
    expect(onDisk.publicKey.equals(issuingKey)).toBe(true);
  });

  it('that several processes hold renews without tearing a file of the others', async () => {
    const clock = new ShiftedClock(0);
    const o = { name: 'writ.test', dir: peers.dir, clock };
    const domains = await Promise.all(Array.from({ length: 8 }, () => openTrustDomain(o)));
    clock.shiftMs = 16 * dayMs;
    const issuers = await Promise.all(domains.map((domain) => domain.issuer()));
    for (const { issuingPem } of issuers)
      expect(
        new X509Certificate(issuingPem).verify(new X509Certificate(peers.domain.rootPem).publicKey),
      ).toBe(true);
    await expectLeavesToVerify(await openTrustDomain(o));
    expect((await readdir(peers.dir)).sort()).toEqual(['issuing.crt', 'issuing.key', 'root.crt', 'root.key']);
  });

  it('takes over the issuing key that somebody else has renewed already', async () => {
    const clock = new ShiftedClock(0);
    const o = { name: 'writ.test', dir: peers.dir, clock };
    const [one, other] = [await openTrustDomain(o), await openTrustDomain(o)];
    clock.shiftMs = 16 * dayMs;
    expect((await one.issuer()).issuingPem).toBe((await other.issuer()).issuingPem);
  });

  it('gets a new issuing key when it is opened after a crash between key and certificate', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(peers.dir, 'issuing.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const o = { name: 'writ.test', dir: peers.dir, clock: new SystemClock() };
    await expectLeavesToVerify(await openTrustDomain(o));
    await rm(join(peers.dir, 'issuing.crt'));
    await expectLeavesToVerify(await openTrustDomain(o));
  });
});
