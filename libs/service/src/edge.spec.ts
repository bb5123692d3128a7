import { expect, it } from '@jest/globals';
import type {
  IssueCertificateRequest,
  IssueCertificateResponse,
} from '@writ/contracts/writ/registry/v1/certificate.js';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import type { Call } from '@writ/kernel';
import type { Access, Calls } from './edge.js';

it('does not compile when a call of the contract has no access row', () => {
  const rows = { registerPerson: ['bootstrap', 'role:admin'] } as const;
  // @ts-expect-error six calls of the contract have no row
  const access: Access<typeof PersonServiceService> = rows;
  expect(Object.keys(access)).not.toEqual(Object.keys(PersonServiceService));
});

it('does not compile when a row names a caller that does not exist', () => {
  // @ts-expect-error there is no service `everything`
  const access: Access<typeof CertificateServiceService> = { issueCertificate: ['service:everything'] };
  expect(Object.keys(access)).toEqual(Object.keys(CertificateServiceService));
});

it('does not compile when an edge lacks a call or mistypes its answer', () => {
  // @ts-expect-error the call is missing
  class Empty implements Calls<typeof CertificateServiceService> {}
  class Mistyped implements Calls<typeof CertificateServiceService> {
    // @ts-expect-error the answer is another message
    async issueCertificate(
      _request: IssueCertificateRequest,
      _call: Call,
    ): Promise<{ certificateId: number }> {
      return { certificateId: 1 };
    }
  }
  class Whole implements Calls<typeof CertificateServiceService> {
    async issueCertificate(
      _request: IssueCertificateRequest,
      _call: Call,
    ): Promise<IssueCertificateResponse> {
      throw new Error('never called');
    }
  }
  expect([Empty, Mistyped, Whole].map((edge) => edge.name)).toEqual(['Empty', 'Mistyped', 'Whole']);
});
