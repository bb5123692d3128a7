import { createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { connect as tcpConnect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { type Call } from '@writ/kernel';
import { connect } from '../src/client.js';
import { SystemClock } from '../src/clock.js';
import { refusalOf } from '../src/refusal-of.js';
import { keyPairOfPem, signCertificate } from '../src/trust/certificate.js';
import { Identity, issuedIdentity } from '../src/trust/identity.js';
import { issueCertificate } from '../src/trust/trust-domain.js';
import { emptyAnswer, type House, openHouse } from './certificate-house.js';
import { ADMIN_ID, AGENT_ID, newPeers, type Peers, ShiftedClock } from './trusted-peers.js';

const clock = new SystemClock();
const request = { subjectId: AGENT_ID, keyId: '', requestId: '' };

let peers: Peers;
let house: House;
let admin: Identity;

beforeAll(async () => {
  peers = await newPeers();
  house = await openHouse(peers);
  admin = await peers.identity(`/person/${ADMIN_ID}`);
});

afterAll(async () => {
  await house.close();
  await peers.remove();
});

async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const remote = refusalOf(error);
  if (remote === undefined)
    throw new Error('the call was expected to fail with a gRPC error', { cause: error });
  return remote;
}

/** A leaf with whatever names, signed by the real issuing key. */
async function identityWithNames(uris: readonly string[]): Promise<Identity> {
  const issuer = await peers.domain.issuer();
  const whole = (await peers.identity(`/agent/${AGENT_ID}`)).current();
  const keys = await keyPairOfPem(whole.keyPem.reveal());
  const leaf = await signCertificate({
    subject: 'CN=test',
    issuer: issuer.issuingName,
    publicKey: keys.publicKey,
    signingKey: issuer.signingKey,
    issuerKey: issuer.publicKey,
    serialNumber: '4001',
    at: clock.now(),
    notAfter: new Date(clock.now().getTime() + 60_000),
    role: { leaf: 'client' },
    uris,
  });
  return new Identity({ ...whole, chainPem: `${leaf.toString('pem')}\n${issuer.issuingPem}` });
}

describe('who may connect', () => {
  it('answers a caller whose certificate is of the trust domain', async () => {
    let seen: Call | undefined;
    house.answer = async (_request, call) => {
      seen = call;
      return emptyAnswer;
    };
    await house.client(admin).issueCertificate(request);
    expect(seen?.caller).toEqual({
      kind: 'person',
      id: ADMIN_ID,
      spiffeId: `spiffe://writ.test/person/${ADMIN_ID}`,
      certificateSha256: admin.current().certificateSha256,
    });
    expect(seen?.actor).toBe(ADMIN_ID);
    expect(seen?.cause).toBe(seen?.callId);
  });

  it('refuses a connection without a certificate', async () => {
    const client = new Client(
      house.server.address,
      credentials.createSsl(Buffer.from(peers.domain.rootPem), null, null, {
        checkServerIdentity: () => undefined,
      }),
    );
    const { path, requestSerialize, responseDeserialize } = CertificateServiceService.issueCertificate;
    const error = await new Promise<ServiceError | null>((resolve) => {
      const deadline = clock.now().getTime() + 2_000;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        resolve,
      );
    });
    client.close();
    expect(refusalOf(error)?.status).toBe('UNAVAILABLE');
  });

  it('refuses plain text', async () => {
    const client = new Client(house.server.address, credentials.createInsecure());
    const error = await new Promise<Error | undefined>((resolve) =>
      client.waitForReady(clock.now().getTime() + 500, resolve),
    );
    client.close();
    expect(error).toBeInstanceOf(Error);
  });

  it('closes a connection that stays silent instead of shaking hands', async () => {
    const [host, port] = house.server.address.split(':');
    const socket = tcpConnect({ host, port: Number(port) });
    await once(socket, 'connect');
    const startMs = clock.monotonicMs();
    const closed = once(socket.resume(), 'close').then(() => 'closed');
    const patience = new AbortController();
    const outcome = await Promise.race([closed, delay(7_000, 'still open', { signal: patience.signal })]);
    patience.abort();
    socket.destroy();
    expect(outcome).toBe('closed');
    expect(clock.monotonicMs() - startMs).toBeGreaterThan(4_000);
  });

  it('refuses TLS below 1.3', async () => {
    const { chainPem, keyPem, rootsPem } = admin.current();
    const [host, port] = house.server.address.split(':');
    const socket = tlsConnect({
      host,
      port: Number(port),
      cert: chainPem,
      key: keyPem.reveal(),
      ca: rootsPem,
      checkServerIdentity: () => undefined,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    const [error] = await once(socket, 'error').catch((cause) => [cause]);
    expect(String(error)).toMatch(/protocol version/i);
  });

  it('refuses a certificate of a foreign authority, even for the same trust domain name', async () => {
    const foreign = await newPeers();
    const stranger = (await foreign.identity(`/person/${ADMIN_ID}`)).current();
    const identity = new Identity({ ...stranger, rootsPem: peers.domain.rootPem });
    expect((await failure(house.client(identity).issueCertificate(request))).status).toBe('UNAVAILABLE');
    await foreign.remove();
  });

  it('refuses an expired certificate', async () => {
    const yesterday = new ShiftedClock(-7200_000);
    const issuer = await peers.domain.issuer();
    const whole = (await peers.identity(`/agent/${AGENT_ID}`)).current();
    const publicKey = createPublicKey(createPrivateKey(whole.keyPem.reveal()));
    const old = await issueCertificate({
      issuer,
      spiffeId: whole.spiffeId,
      publicKey,
      ttlSeconds: 3600,
      clock: yesterday,
    });
    const identity = new Identity({ ...whole, chainPem: old.chainPem });
    expect((await failure(house.client(identity).issueCertificate(request))).status).toBe('UNAVAILABLE');
  });

  it('refuses a certificate that expired while its connection was open', async () => {
    const shortLived = await peers.identity(`/agent/${AGENT_ID}`, 2);
    const client = house.client(shortLived);
    house.answer = async () => emptyAnswer;
    await client.issueCertificate(request);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(await failure(client.issueCertificate(request))).toMatchObject({
      status: 'UNAUTHENTICATED',
      reason: 'PEER_UNIDENTIFIED',
    });
  });

  it.each([
    ['two URI names', [`spiffe://writ.test/agent/${AGENT_ID}`, `spiffe://writ.test/person/${ADMIN_ID}`]],
    ['no URI name', []],
    ['a name of another trust domain', [`spiffe://other.test/agent/${AGENT_ID}`]],
    ['an unknown kind of name', ['spiffe://writ.test/robot/r2d2']],
    ['a service that does not exist', ['spiffe://writ.test/service/everything']],
    ['an id of the wrong kind', [`spiffe://writ.test/person/${AGENT_ID}`]],
  ])('does not identify a certificate with %s', async (_title, uris) => {
    const client = house.client(await identityWithNames(uris));
    expect(await failure(client.issueCertificate(request))).toMatchObject({
      status: 'UNAUTHENTICATED',
      reason: 'PEER_UNIDENTIFIED',
    });
  });

  it('does not talk to a server that is another service than expected', async () => {
    const client = connect({
      identity: admin,
      address: house.server.address,
      serverSpiffeId: 'spiffe://writ.test/service/vault',
      definition: CertificateServiceService,
      clock,
    });
    expect((await failure(client.issueCertificate(request))).message).toContain('the server is not');
    client.close();
  });

  it('takes over a renewed certificate on both sides without a restart', async () => {
    const identity = await issuedIdentity({
      trustDomain: peers.domain,
      spiffeId: `spiffe://writ.test/agent/${AGENT_ID}`,
      ttlSeconds: 3600,
      clock: new ShiftedClock(3600_000),
    });
    const before = identity.current().certificateSha256;
    await identity.renew();
    expect(identity.current().certificateSha256).not.toBe(before);
    let presented = '';
    house.answer = async (_request, call) => {
      presented = call.caller.certificateSha256;
      return emptyAnswer;
    };
    await house.client(identity).issueCertificate(request);
    expect(presented).toBe(identity.current().certificateSha256);
    identity.stop();
  });
});
