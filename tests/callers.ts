import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import {
  createTrustDomain,
  Identity,
  issueCertificate,
  issuedIdentity,
  keyPairOfPem,
  roles,
  SystemClock,
  serviceNames,
  signCertificate,
  type Who,
} from '@writ/service';
import type { WholeSuite } from './whole-suite.js';

/** One kind of caller, with a certificate that the trust domain vouches for. */
export interface Caller {
  readonly name: string;
  /** The words of access rows that mean this caller. */
  readonly fits: readonly Who[];
  readonly how: Identity;
}

/** Somebody whom the trust domain does not know, or not any more. */
export interface Stranger {
  readonly name: string;
  readonly how: Identity | { readonly rootPem: string };
}

const HOUR_MS = 3_600_000;

const roleNumbers = {
  admin: Role.ROLE_ADMIN,
  operator: Role.ROLE_OPERATOR,
  sponsor: Role.ROLE_SPONSOR,
  approver: Role.ROLE_APPROVER,
  auditor: Role.ROLE_AUDITOR,
  security: Role.ROLE_SECURITY,
} as const;

/** A person with each single role, with none, gone, unknown; an agent, an enforcement point, every service. */
export async function callersOf(suite: WholeSuite): Promise<readonly Caller[]> {
  const { world } = suite;
  const callers: Caller[] = [];
  for (const role of roles) {
    const { identity } = await suite.person([roleNumbers[role]]);
    callers.push({ name: role, fits: [`role:${role}`], how: identity });
  }
  const gone = await suite.person(Object.values(roleNumbers));
  await suite.admin.clients.people.markPersonLeft({ personId: gone.id, etag: '', requestId: '' });
  const unknown = await world.identity({ kind: 'person', id: world.clock.newId('psn') });
  const agent = await world.identity({ kind: 'agent', id: world.clock.newId('agt') });
  const point = await world.identity({ kind: 'enforcement-point', id: 'erp' });
  const bootstrap = await world.identity({ kind: 'bootstrap', id: 'bootstrap' });
  callers.push({ name: 'agent', fits: ['agent'], how: agent });
  callers.push({ name: 'enforcement-point', fits: ['enforcement-point'], how: point });
  callers.push({ name: 'bootstrap', fits: ['bootstrap'], how: bootstrap });
  for (const service of serviceNames) {
    const how = await world.identity({ kind: 'service', id: service });
    callers.push({ name: `service:${service}`, fits: [`service:${service}`], how });
  }
  callers.push({ name: 'a person who has left', fits: [], how: gone.identity });
  callers.push({ name: 'a person nobody registered', fits: [], how: unknown });
  return callers;
}

export async function strangersOf(suite: WholeSuite): Promise<readonly Stranger[]> {
  const { world } = suite;
  const rootPem = world.trust.rootPem;
  const spiffeId = suite.admin.identity.spiffeId;
  const clock = new SystemClock();
  const dir = suite.inside('foreign-trust');
  const trustDomain = await createTrustDomain({ name: world.trust.name, dir, clock });
  const forged = await issuedIdentity({ trustDomain, spiffeId, ttlSeconds: 3_600, clock });
  const foreign = new Identity({ ...forged.current(), rootsPem: rootPem });
  return [
    { name: 'no certificate', how: { rootPem } },
    { name: 'a foreign authority', how: foreign },
    { name: 'an expired certificate', how: await expired(suite) },
    { name: 'another trust domain', how: await ofAnotherDomain(suite) },
  ];
}

class YesterdayClock extends SystemClock {
  override now(): Date {
    return new Date(super.now().getTime() - 24 * HOUR_MS);
  }
}

/** The administrator's own key, in a certificate that was good for an hour yesterday. */
async function expired(suite: WholeSuite): Promise<Identity> {
  const admin = suite.admin.identity.current();
  const old = await issueCertificate({
    issuer: await suite.world.trust.issuer(),
    spiffeId: admin.spiffeId,
    publicKey: createPublicKey(createPrivateKey(admin.keyPem.reveal())),
    ttlSeconds: HOUR_MS / 1_000,
    clock: new YesterdayClock(),
  });
  return new Identity({ ...admin, chainPem: old.chainPem });
}

/** Signed by our own issuing key, so that TLS accepts it; its name is of somewhere else. */
async function ofAnotherDomain(suite: WholeSuite): Promise<Identity> {
  const issuer = await suite.world.trust.issuer();
  const admin = suite.admin.identity.current();
  const { publicKey } = await keyPairOfPem(admin.keyPem.reveal());
  const at = suite.world.clock.now();
  const leaf = await signCertificate({
    subject: 'CN=somebody',
    issuer: issuer.issuingName,
    publicKey,
    signingKey: issuer.signingKey,
    issuerKey: issuer.publicKey,
    serialNumber: '4001',
    at,
    notAfter: new Date(at.getTime() + HOUR_MS),
    role: { leaf: 'client' },
    uris: [`spiffe://elsewhere.test/person/${suite.admin.id}`],
  });
  return new Identity({ ...admin, chainPem: `${leaf.toString('pem')}\n${issuer.issuingPem}` });
}
