import {
  CertificateServiceService,
  IssueCertificateRequest,
  IssueCertificateResponse,
} from '@writ/contracts/writ/registry/v1/certificate.js';
import { certify } from '../certify.js';
import { textAt } from '../json.js';
import { keyExtras } from '../register-key.js';
import { flag } from '../rows.js';
import { unary } from '../rpc.js';
import { column, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const certificate = shape(
  [
    column('id', 'certificateId'),
    column('spiffe id', 'spiffeId'),
    column('expires', 'expireTime'),
    wide('sha-256', 'certificateSha256'),
  ],
  (row) => `certificates/${textAt(row, 'certificateId')}`,
);

export const certificateNoun: Noun = {
  name: 'certificate',
  doc: 'with what agents and people prove themselves over mutual TLS',
  verbs: [
    {
      name: 'issue',
      doc: 'get a certificate for a registered key, and keep it in the profile that holds the key',
      args: [{ name: 'SUBJECT', field: 'subject_id', doc: 'an agent or a person: the id or the name' }],
      options: [flag('key-id', 'which registered key; else that of the profile')],
      extras: keyExtras,
      rpc: unary(
        'registry',
        CertificateServiceService.issueCertificate,
        IssueCertificateRequest,
        IssueCertificateResponse,
      ),
      shape: certificate,
      before: certify,
    },
  ],
};
