import { describe, expect, it } from '@jest/globals';
import { givenFor } from '@writ/testing/decider.js';
import { type CertificateEvent, certificateDecider, keyToCertify, type Subject } from './certificate.js';

const subject: Subject = {
  subjectId: 'agt_01JDKF0000000000000000000A',
  kind: 'agent',
  gone: false,
  keys: [
    { keyId: 'old', jwk: '{"x":"old"}' },
    { keyId: 'new', jwk: '{"x":"new"}' },
  ],
};
const data = {
  certificateId: 'crt_01JDKF0000000000000000000A',
  subjectId: subject.subjectId,
  spiffeId: 'spiffe://writ.test/agent/agt_01JDKF0000000000000000000A',
  keyId: 'new',
  certificateSha256: 'x',
  expireTime: new Date(0),
};
const issued: CertificateEvent = { type: 'CertificateIssued', data };
const given = givenFor(certificateDecider);

describe('a certificate', () => {
  it('is recorded when it is issued', () =>
    given().when({ type: 'IssueCertificate', certificate: data }).then(issued));
  it('is recorded once', () =>
    given(issued).when({ type: 'IssueCertificate', certificate: data }).thenNothing());
  it('is for the newest registered key', () => expect(keyToCertify(subject, '').keyId).toBe('new'));
  it('is for the registered key that was asked for', () =>
    expect(keyToCertify(subject, 'old').keyId).toBe('old'));
  it.each([
    ['an unknown subject', undefined, '', 'SUBJECT_UNKNOWN'],
    ['a subject that is gone', { ...subject, gone: true }, '', 'SUBJECT_GONE'],
    ['a key that is not registered', subject, 'other', 'SUBJECT_KEY_UNKNOWN'],
    ['a subject without keys', { ...subject, keys: [] }, '', 'SUBJECT_KEY_UNKNOWN'],
  ])('is refused for %s', (_, who, keyId, code) =>
    expect(() => keyToCertify(who, keyId)).toThrow(expect.objectContaining({ code })),
  );
});
