import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type Home, type Identity, registeredKey, Secret, type SuiteRecord } from '@writ/service';
import { type Clients, clientsOf } from '../suite/clients.js';

/** Somebody in the walk: with a certificate, a signing key, and clients of every service. */
export interface Member {
  readonly name: string;
  readonly id: string;
  readonly identity: Identity;
  readonly signingKey: KeyObject;
  readonly keyId: string;
  readonly clients: Clients;
}

/** Opens a saved profile as a member. */
export async function memberOf(home: Home, record: SuiteRecord, name: string): Promise<Member> {
  const { principalId, identity, signingKey, keyId } = await home.profile(name);
  if (signingKey === undefined) throw new Error(`profile \`${name}\` has no signing key`);
  return { name, id: principalId, identity, signingKey, keyId, clients: clientsOf(record, identity) };
}

export interface Keys {
  readonly jwk: string;
  readonly keyId: string;
  readonly signingKeyPem: string;
}

/** A key pair on P-256; one key for the certificate and for signing. */
export function newKeys(): Keys {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { jwk, keyId } = registeredKey(JSON.stringify(publicKey.export({ format: 'jwk' })));
  return { jwk, keyId, signingKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** Registers a person and saves their profile, so that the CLI can act as them. */
export async function addPerson(
  home: Home,
  operator: Member,
  record: SuiteRecord,
  name: string,
  roles: Role[],
) {
  const keys = newKeys();
  const { personId } = await operator.clients.people.registerPerson({
    displayName: name,
    roles,
    jwk: keys.jwk,
    requestId: '',
  });
  await saveMember(home, operator, name, personId, keys);
  return memberOf(home, record, name);
}

/** Gets a certificate for a registered key and saves it as a profile. */
export async function saveMember(
  home: Home,
  operator: Member,
  name: string,
  id: string,
  keys: Keys,
): Promise<void> {
  const issued = await operator.clients.certificates.issueCertificate({
    subjectId: id,
    keyId: keys.keyId,
    requestId: '',
  });
  const { spiffeId, certificateSha256, certificateChainPem: chainPem, trustBundlePem: rootsPem } = issued;
  const notAfter = issued.expireTime ?? new Date(0);
  const keyPem = new Secret(keys.signingKeyPem);
  const material = {
    spiffeId,
    certificateSha256,
    chainPem,
    rootsPem,
    keyPem,
    notBefore: new Date(0),
    notAfter,
  };
  await home.saveProfile({
    name,
    principalId: id,
    material,
    signingKeyPem: keys.signingKeyPem,
    keyId: keys.keyId,
  });
}

export const walkRoles = {
  ana: [Role.ROLE_SPONSOR],
  ben: [Role.ROLE_APPROVER],
  sam: [Role.ROLE_SPONSOR],
} as const;
