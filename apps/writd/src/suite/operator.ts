import { createPublicKey } from 'node:crypto';
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
import { draftOf, forgetDraft, isComplete } from './profile-draft.js';

const PROFILE = 'operator';
const PROFILE_CERTIFICATE_SECONDS = 7 * 24 * 60 * 60;
const BOOTSTRAP_CERTIFICATE_SECONDS = 5 * 60;
/** A registry that has just started on a busy machine needs more than an ordinary call may take. */
const REGISTRATION_MS_MAX = 10_000;

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
 * registered for it; a start that was cut short there is gone on with.
 */
export async function ensureOperator(home: Home, record: SuiteRecord, trust: TrustDomain): Promise<void> {
  if (!isComplete(home, PROFILE)) await firstOperator(home, record, trust);
}

/** A new certificate for a profile's key: the next start may come after the old one has expired. */
export async function renewProfile(home: Home, name: string, trust: TrustDomain): Promise<void> {
  // Still being made: it may have a key and no certificate yet, or a certificate and nobody it is known to belong to.
  if (!home.hasCertificate(name) || !isComplete(home, name)) return;
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
  const { privateKey, requestId } = await draftOf(home, PROFILE);
  const publicKey = createPublicKey(privateKey);
  const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
  const clients = clientsOf(record, new Identity(await newMaterial(bootstrap)));
  try {
    const { personId } = await clients.people.registerPerson(
      { displayName: 'operator', roles: operatorRoles, jwk, requestId },
      { deadlineMs: REGISTRATION_MS_MAX },
    );
    const spiffeId = formatSpiffeId({ trustDomain: TRUST_DOMAIN, kind: 'person', id: personId });
    const issued = await trust.issue({ spiffeId, publicKey, ttlSeconds: PROFILE_CERTIFICATE_SECONDS });
    const signingKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const material = { ...issued, keyPem: new Secret(signingKeyPem), rootsPem: trust.rootPem };
    const { keyId } = registeredKey(jwk);
    await home.saveProfile({ name: PROFILE, principalId: personId, material, signingKeyPem, keyId });
    await forgetDraft(home, PROFILE);
  } finally {
    clients.close();
  }
}
