import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import {
  formatSpiffeId,
  type Home,
  Identity,
  newMaterial,
  registeredKey,
  Secret,
  type SuiteRecord,
  type TrustDomain,
} from '@writ/service';
import { clientsOf } from './clients.js';
import { bootstrapSpiffeId, TRUST_DOMAIN } from './ground.js';

const PROFILE = 'operator';
const PROFILE_CERTIFICATE_SECONDS = 7 * 24 * 60 * 60;
const BOOTSTRAP_CERTIFICATE_SECONDS = 5 * 60;

export const operatorRoles = [
  Role.ROLE_ADMIN,
  Role.ROLE_OPERATOR,
  Role.ROLE_SPONSOR,
  Role.ROLE_APPROVER,
  Role.ROLE_AUDITOR,
  Role.ROLE_SECURITY,
];

/**
 * The profile of whoever runs this suite, in files that only this user can read. At the first start the first person is
 * registered for it.
 */
export async function ensureOperator(home: Home, record: SuiteRecord, trust: TrustDomain): Promise<void> {
  if (!(await home.profiles()).includes(PROFILE)) await firstOperator(home, record, trust);
}

/** A new certificate for a profile's key: the next start may come after the old one has expired. */
export async function renewProfile(home: Home, name: string, trust: TrustDomain): Promise<void> {
  // A profile that was saved and never got its first certificate has none to renew.
  if (!home.hasCertificate(name)) return;
  const { principalId, identity, signingKey, keyId } = await home.profile(name);
  const { spiffeId, keyPem } = identity.current();
  identity.stop();
  const publicKey = createPublicKey(keyPem.reveal());
  const issued = await trust.issue({ spiffeId, publicKey, ttlSeconds: PROFILE_CERTIFICATE_SECONDS });
  const material = { ...issued, keyPem, rootsPem: trust.rootPem };
  const signingKeyPem = signingKey?.export({ type: 'pkcs8', format: 'pem' }).toString();
  await home.saveProfile({
    name,
    principalId,
    material,
    keyId,
    ...(signingKeyPem !== undefined && { signingKeyPem }),
  });
}

async function firstOperator(home: Home, record: SuiteRecord, trust: TrustDomain): Promise<void> {
  const bootstrap = {
    trustDomain: trust,
    spiffeId: bootstrapSpiffeId(),
    ttlSeconds: BOOTSTRAP_CERTIFICATE_SECONDS,
  };
  const clients = clientsOf(record, new Identity(await newMaterial(bootstrap)));
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
  try {
    const { personId } = await clients.people.registerPerson({
      displayName: 'operator',
      roles: operatorRoles,
      jwk,
      requestId: '',
    });
    const spiffeId = formatSpiffeId({ trustDomain: TRUST_DOMAIN, kind: 'person', id: personId });
    const issued = await trust.issue({ spiffeId, publicKey, ttlSeconds: PROFILE_CERTIFICATE_SECONDS });
    const signingKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const material = { ...issued, keyPem: new Secret(signingKeyPem), rootsPem: trust.rootPem };
    const { keyId } = registeredKey(jwk);
    await home.saveProfile({ name: PROFILE, principalId: personId, material, signingKeyPem, keyId });
  } finally {
    clients.close();
  }
}
