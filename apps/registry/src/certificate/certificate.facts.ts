import { CertificateIssued } from '@writ/contracts/writ/registry/v1/certificate_facts.js';
import type { Facts } from '@writ/event-store';
import type { CertificateEvent } from './certificate.js';

export const certificateFacts: Facts<CertificateEvent> = { CertificateIssued };
