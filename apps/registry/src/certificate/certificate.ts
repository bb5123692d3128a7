import type { CertificateIssued } from '@writ/contracts/writ/registry/v1/certificate_facts.js';
import { type Decider, refusals } from '@writ/kernel';

export type CertificateEvent = { type: 'CertificateIssued'; data: CertificateIssued };

/** Whom a certificate is for, as the registry knows them. */
export interface Subject {
  readonly subjectId: string;
  readonly kind: 'agent' | 'person';
  /** Retired agents and people who left get no certificate; all others do, for a certificate alone allows nothing. */
  readonly gone: boolean;
  /** Registered public keys, oldest first. */
  readonly keys: readonly { readonly keyId: string; readonly jwk: string }[];
}

export interface Certificate {
  readonly issued: boolean;
}

export interface IssueCertificate {
  readonly type: 'IssueCertificate';
  readonly certificate: CertificateIssued;
}

export const refuse = refusals({
  SUBJECT_UNKNOWN: 'not-found',
  SUBJECT_GONE: 'precondition',
  SUBJECT_KEY_UNKNOWN: 'precondition',
  NOT_YOUR_CERTIFICATE: 'forbidden',
});

/**
 * The registered key to certify: the one that was asked for, else the newest.
 * @throws Refusal SUBJECT_UNKNOWN, SUBJECT_GONE, SUBJECT_KEY_UNKNOWN
 */
export function keyToCertify(subject: Subject | undefined, keyId: string): { keyId: string; jwk: string } {
  if (subject === undefined)
    throw refuse('SUBJECT_UNKNOWN', 'no agent and no person has this id; register it first');
  const { subjectId, gone, keys } = subject;
  if (gone) throw refuse('SUBJECT_GONE', `\`${subjectId}\` is retired or has left and gets no certificate`);
  const key = keyId === '' ? keys.at(-1) : keys.find((known) => known.keyId === keyId);
  if (key === undefined)
    throw refuse('SUBJECT_KEY_UNKNOWN', `\`${subjectId}\` has no such key; register its public key first`);
  return key;
}

export const certificateDecider: Decider<Certificate, IssueCertificate, CertificateEvent> = {
  initialState: () => ({ issued: false }),
  decide: ({ certificate }, { issued }) => (issued ? [] : [{ type: 'CertificateIssued', data: certificate }]),
  evolve: () => ({ issued: true }),
};
