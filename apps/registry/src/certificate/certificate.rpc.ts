import { createPublicKey } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  CertificateServiceService,
  type IssueCertificateRequest,
  type IssueCertificateResponse,
} from '@writ/contracts/writ/registry/v1/certificate.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { CommandHandler } from '@writ/event-store';
import { type Call, isId } from '@writ/kernel';
import { type Access, type Calls, check, formatSpiffeId, TrustDomain } from '@writ/service';
import { AgentView } from '../agent/agent.view.js';
import { agentStatus } from '../agent/agent-state.js';
import { PersonView } from '../person/person.view.js';
import { certificateFacts } from './certificate.facts.js';
import { certificateDecider, keyToCertify, refuse, type Subject } from './certificate.js';

const CERTIFICATE_TTL_SECONDS = 24 * 60 * 60;

/** Everybody may ask for their own; for others see `#mayIssue`. */
export const certificateAccess = {
  issueCertificate: [
    'agent',
    'bootstrap',
    'role:admin',
    'role:operator',
    'role:sponsor',
    'role:approver',
    'role:auditor',
    'role:security',
  ],
} as const satisfies Access<typeof CertificateServiceService>;

@Injectable()
export class CertificateRpc implements Calls<typeof CertificateServiceService> {
  static readonly service = CertificateServiceService;
  static readonly access = certificateAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly agents: AgentView,
    private readonly people: PersonView,
    private readonly authority: TrustDomain,
  ) {}

  async issueCertificate(request: IssueCertificateRequest, call: Call): Promise<IssueCertificateResponse> {
    const { subjectId, keyId } = request;
    const isSubject = isId('agt', subjectId) || isId('psn', subjectId);
    check({ subjectId: isSubject ? undefined : 'must be the id of an agent or a person' });
    await this.#mayIssue(subjectId, call);
    const subject = await this.#subject(subjectId);
    const key = keyToCertify(subject, keyId);
    const issued = await this.authority.issue({
      spiffeId: formatSpiffeId({
        trustDomain: this.authority.name,
        kind: subject?.kind ?? 'agent',
        id: subjectId,
      }),
      publicKey: createPublicKey({ key: JSON.parse(key.jwk), format: 'jwk' }),
      ttlSeconds: CERTIFICATE_TTL_SECONDS,
    });
    const certificateId = call.newId('crt');
    const { spiffeId, certificateSha256, notAfter: expireTime } = issued;
    const certificate = {
      certificateId,
      subjectId,
      spiffeId,
      keyId: key.keyId,
      certificateSha256,
      expireTime,
    };
    await this.commands.handle({
      decider: certificateDecider,
      facts: certificateFacts,
      streamId: `certificate-${certificateId}`,
      kind: 'certificate',
      partKey: subjectId,
      command: { type: 'IssueCertificate', certificate },
      // A certificate is not stored, so a retry gets a new one, and each that was handed out is on record.
      call: { ...call, requestId: '' },
    });
    const { chainPem: certificateChainPem } = issued;
    return {
      certificateId,
      certificateChainPem,
      trustBundlePem: this.authority.rootPem,
      spiffeId,
      certificateSha256,
      expireTime,
    };
  }

  /** Oneself; an admin for anybody; an operator for agents; a sponsor for the agents they answer for. */
  async #mayIssue(subjectId: string, call: Call): Promise<void> {
    const { caller } = call;
    if (caller.id === subjectId) return;
    // The first start makes the first person and their certificate; after that its key opens nothing.
    if (caller.kind === 'bootstrap' && isId('psn', subjectId) && (await this.people.count()) === 1) return;
    const roles = caller.kind === 'person' ? ((await this.people.find(caller.id))?.state.roles ?? []) : [];
    if (roles.includes(Role.ROLE_ADMIN)) return;
    const isAgent = isId('agt', subjectId);
    if (isAgent && roles.includes(Role.ROLE_OPERATOR)) return;
    if (isAgent && (await this.agents.find(subjectId))?.state.sponsorId === caller.id) return;
    throw refuse(
      'NOT_YOUR_CERTIFICATE',
      `a certificate for \`${subjectId}\` is for itself, its operators or an admin to ask for`,
    );
  }

  async #subject(subjectId: string): Promise<Subject | undefined> {
    if (isId('agt', subjectId)) {
      const agent = (await this.agents.find(subjectId))?.state;
      if (agent === undefined) return undefined;
      const gone = agentStatus(agent) === 'retired';
      return { subjectId, kind: 'agent', gone, keys: [{ keyId: agent.keyId, jwk: agent.jwk }] };
    }
    const person = (await this.people.find(subjectId))?.state;
    return person && { subjectId, kind: 'person', gone: person.status !== 'active', keys: person.keys };
  }
}
