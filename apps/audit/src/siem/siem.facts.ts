import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import type { Json } from '@writ/kernel';
import type { AnyFact, FactData, FactType } from '../entry/entry.facts.js';
import { type OcsfPart, present, userOf } from './ocsf.js';
import { authentication, datastore, entity, ms, privilegesOf, user } from './ocsf-part.js';

type Rows = { readonly [T in FactType]: (fact: FactData<T>) => OcsfPart };
const CREATE = 1;
const UPDATE = 3;
const DELETE = 4;
const ENROLL = 6;
const ACTIVATE = 10;
const DEACTIVATE = 11;
const SUSPEND = 12;
const RESUME = 13;

/** Every fact as an OCSF event (standards: OCSF 1.9.0). A fact without a row does not compile. */
export const ocsfRows: Rows = {
  'writ.registry.v1.AgentRegistered': (f) =>
    entity(CREATE, 'agent', f.agentId, `agent registered: ${f.displayName}, run by ${f.owner}`, {
      attributes: { comment: f.purpose },
    }),
  'writ.registry.v1.AgentAttested': (f) =>
    entity(ACTIVATE, 'agent', f.agentId, `agent attested by ${f.sponsorId}`),
  'writ.registry.v1.AgentProvenanceChanged': (f) =>
    entity(UPDATE, 'agent', f.agentId, 'agent is made of something else; needs attestation', {
      severity: 'Medium',
    }),
  'writ.registry.v1.AgentKeyRotated': (f) => entity(UPDATE, 'agent', f.agentId, 'agent has another key'),
  'writ.registry.v1.AgentSuspended': (f) =>
    entity(SUSPEND, 'agent', f.agentId, 'agent suspended', {
      severity: 'Medium',
      attributes: { comment: f.reason },
    }),
  'writ.registry.v1.AgentReinstated': (f) => entity(RESUME, 'agent', f.agentId, 'agent reinstated'),
  'writ.registry.v1.AgentOrphaned': (f) =>
    entity(DEACTIVATE, 'agent', f.agentId, `agent orphaned: sponsor ${f.sponsorId} left`, {
      severity: 'High',
    }),
  'writ.registry.v1.AgentSponsorChanged': (f) =>
    entity(UPDATE, 'agent', f.agentId, `agent has sponsor ${f.sponsorId}; needs attestation`),
  'writ.registry.v1.AgentRetired': (f) => entity(DEACTIVATE, 'agent', f.agentId, 'agent retired for good'),
  'writ.registry.v1.AgentTrustScored': (f) =>
    entity(UPDATE, 'agent', f.agentId, `trust score ${f.score}`, {
      attributes: { entity_result: { score: f.score } },
    }),
  'writ.registry.v1.AgentConductNoted': (f) =>
    entity(UPDATE, 'agent', f.agentId, `conduct noted, evidence ${f.evidence}`, { severity: 'Medium' }),
  'writ.registry.v1.BlueprintDefined': (f) =>
    entity(CREATE, 'blueprint', f.blueprintId, `blueprint defined: ${f.displayName}`),
  'writ.registry.v1.BlueprintRetired': (f) =>
    entity(DEACTIVATE, 'blueprint', f.blueprintId, 'blueprint retired'),
  'writ.registry.v1.CertificateIssued': (f) =>
    entity(ENROLL, 'certificate', f.certificateId, `certificate issued to ${f.subjectId}`, {
      agentId: f.subjectId.startsWith('agt_') ? f.subjectId : undefined,
      attributes: { entity_result: present({ uid: f.certificateSha256, expiration_time: ms(f.expireTime) }) },
    }),
  'writ.registry.v1.PersonRegistered': (f) =>
    user(1, f.personId, 'person registered', { iam_roles: rolesOf(f.roles) }),
  'writ.registry.v1.PersonRolesChanged': (f) =>
    user(16, f.personId, 'roles of a person set', { iam_roles: rolesOf(f.roles) }),
  'writ.registry.v1.PersonKeyAdded': (f) => user(18, f.personId, `signing key ${f.keyId} added`),
  'writ.registry.v1.PersonKeyRetired': (f) => user(19, f.personId, `signing key ${f.keyId} retired`),
  'writ.registry.v1.PersonLeft': (f) => user(5, f.personId, 'person left'),

  'writ.session.v1.MandateGranted': (f) => ({
    class: 'authorizeSession',
    activity: 1,
    message: `${f.personId} gave a mandate`,
    agentId: f.agentId,
    attributes: {
      user: userOf(f.agentId),
      privileges: privilegesOf(f.authorizationDetails),
      delegation: present({ uid: f.mandateId, expiration_time: ms(f.expireTime), issuer_uid: f.personId }),
      comment: f.purpose,
    },
  }),
  'writ.session.v1.MandateRevoked': (f) =>
    entity(DEACTIVATE, 'mandate', f.mandateId, 'mandate revoked', { attributes: { comment: f.reason } }),
  'writ.session.v1.DelegationMade': (f) => ({
    class: 'authorizeSession',
    activity: 1,
    message: `${f.delegatorAgentId} delegated, hop ${f.depth}`,
    agentId: f.delegateAgentId,
    attributes: {
      user: userOf(f.delegateAgentId),
      privileges: privilegesOf(f.authorizationDetails),
      delegation: present({
        uid: f.delegationId,
        parent_uid: f.parentDelegationId === '' ? f.mandateId : f.parentDelegationId,
        expiration_time: ms(f.expireTime),
        issuer_uid: f.delegatorAgentId,
      }),
      comment: f.purpose,
    },
  }),
  'writ.session.v1.DelegationRevoked': (f) =>
    entity(DEACTIVATE, 'delegation', f.delegationId, 'delegation revoked', {
      attributes: { comment: f.reason },
    }),
  'writ.session.v1.SessionOpened': (f) =>
    authentication(1, 'session opened', f.agentId, f.sessionId, {
      delegation: { uid: f.delegationIds.at(-1) ?? f.mandateId },
      session: present({ uid: f.sessionId, expiration_time: ms(f.expireTime) }),
      comment: f.task,
    }),
  'writ.session.v1.TokenIssued': (f) =>
    authentication(4, `token ${f.tokenId} issued`, f.agentId, f.sessionId, { session: { uid: f.sessionId } }),
  'writ.session.v1.SessionEnded': (f) =>
    authentication(2, 'session ended', f.agentId, f.sessionId, { session: { uid: f.sessionId } }),
  'writ.session.v1.SigningKeyAdded': (f) =>
    entity(CREATE, 'signing key', f.keyId, `tokens of ${f.issuer} have a new key`),
  'writ.session.v1.SigningKeyRetired': (f) =>
    entity(DEACTIVATE, 'signing key', f.keyId, 'signing key retired'),
  'writ.session.v1.LockPlaced': (f) =>
    entity(SUSPEND, lockTarget(f.targetKind), f.targetId || 'everything', `lock ${f.lockId} placed`, {
      severity: f.targetKind === LockTargetKind.LOCK_TARGET_KIND_EVERYTHING ? 'Critical' : 'High',
      attributes: { comment: f.reason },
    }),
  'writ.session.v1.LockLifted': (f) =>
    entity(RESUME, 'lock', f.lockId, 'lock lifted', {
      severity: 'Medium',
      attributes: { comment: f.reason },
    }),

  'writ.policy.v1.PolicySetApplied': (f) =>
    entity(ACTIVATE, 'policy set', f.policySetId, `policy set version ${f.version} applied`, {
      severity: 'Low',
      attributes: { comment: f.note, entity_result: { uid: f.digest, version: String(f.version) } },
    }),
  'writ.policy.v1.DecisionMade': decisionPart,

  'writ.approval.v1.ApprovalRequested': (f) =>
    entity(CREATE, 'approval', f.approvalId, `approval asked for, quorum ${f.quorum}`, {
      severity: 'Low',
      agentId: f.agentId,
      sessionId: f.sessionId,
      attributes: { comment: f.purpose },
    }),
  'writ.approval.v1.ApprovalVoted': (f) =>
    entity(UPDATE, 'approval', f.approvalId, `${f.personId} said ${f.approve ? 'yes' : 'no'}`, {
      attributes: { comment: f.reason },
    }),
  'writ.approval.v1.ApprovalGranted': (f) =>
    entity(ACTIVATE, 'approval', f.approvalId, `approved by ${f.approverIds.join(', ')}`, {
      sessionId: f.sessionId,
    }),
  'writ.approval.v1.ApprovalDenied': (f) =>
    entity(DEACTIVATE, 'approval', f.approvalId, `denied by ${f.personId}`, {
      severity: 'Medium',
      status: 'Failure',
      attributes: { comment: f.reason },
    }),
  'writ.approval.v1.ApprovalExpired': (f) => entity(DEACTIVATE, 'approval', f.approvalId, 'approval expired'),
  'writ.approval.v1.ApprovalWithdrawn': (f) =>
    entity(DEACTIVATE, 'approval', f.approvalId, 'approval withdrawn'),
  'writ.approval.v1.ApprovalUsed': (f) =>
    entity(DEACTIVATE, 'approval', f.approvalId, `approval used by decision ${f.decisionId}`),

  'writ.vault.v1.DatabaseRoleDefined': (f) =>
    entity(CREATE, 'database role', f.databaseRoleId, `database role defined: ${f.displayName}`),
  'writ.vault.v1.LeaseIssued': (f) =>
    datastore(3, f.databaseRoleId, `lease ${f.leaseId} issued for login ${f.username}`, {
      agentId: f.agentId,
      sessionId: f.sessionId,
    }),
  'writ.vault.v1.LeaseRenewed': (f) => datastore(2, f.leaseId, `lease ${f.leaseId} renewed`),
  'writ.vault.v1.LeaseRevocationStarted': (f) => datastore(2, f.leaseId, `lease ${f.leaseId} has to go`),
  'writ.vault.v1.LeaseRevocationFailed': (f) =>
    datastore(7, f.leaseId, `lease ${f.leaseId} could not be revoked, attempt ${f.attempt}: ${f.failure}`, {
      severity: 'High',
      status: 'Failure',
    }),
  'writ.vault.v1.LeaseRevoked': (f) => datastore(7, f.leaseId, `lease ${f.leaseId} revoked`),
  'writ.vault.v1.SecretCreated': (f) =>
    entity(CREATE, 'secret', f.secretId, `secret created: ${f.displayName}`),
  'writ.vault.v1.SecretVersionAdded': (f) =>
    entity(UPDATE, 'secret', f.secretId, `secret has version ${f.version}`),
  'writ.vault.v1.SecretVersionDestroyed': (f) =>
    entity(DELETE, 'secret', f.secretId, `secret version ${f.version} destroyed`, { severity: 'Low' }),
  'writ.vault.v1.SecretRead': (f) =>
    datastore(1, f.secretId, `secret version ${f.version} read`, {
      agentId: f.agentId,
      sessionId: f.sessionId,
    }),
};

export function ocsfPartOf(fact: AnyFact): OcsfPart {
  const row = ocsfRows[fact.type] as (data: AnyFact['data']) => OcsfPart;
  return row(fact.data);
}

/** Somebody wrote to a topic of facts what is no fact, or what this program does not know. */
export function opaquePart(uid: string): OcsfPart {
  return {
    class: 'detectionFinding',
    activity: 1,
    severity: 'High',
    message: 'a record that is no known fact was entered as it came',
    attributes: { finding_info: { uid, title: 'Unknown record on a topic of facts' } },
  };
}

function decisionPart(f: FactData<'writ.policy.v1.DecisionMade'>): OcsfPart {
  const { action } = f;
  const name = action === undefined ? 'unknown' : `${action.type}.${action.name}`;
  const allowed = f.outcome === Outcome.OUTCOME_ALLOW;
  const asks = f.outcome === Outcome.OUTCOME_APPROVAL_NEEDED;
  return {
    class: 'apiActivity',
    ...(action?.name === 'read' ? { activity: 2 } : { activity: 99, activityName: name }),
    severity: allowed ? 'Informational' : asks ? 'Low' : 'Medium',
    status: allowed ? 'Success' : 'Failure',
    message: f.reason === '' ? `${name}: ${outcomeName(f.outcome)}` : f.reason,
    agentId: f.agentId,
    sessionId: f.sessionId,
    attributes: {
      api: { operation: name, request: { uid: f.decisionId }, service: { name: 'policy-engine' } },
      resources:
        action === undefined
          ? undefined
          : [{ uid: action.identifier, name: action.location, type: action.type }],
      authorizations: [
        {
          decision: outcomeName(f.outcome),
          policy: {
            uid: f.policySetId,
            version: String(f.policySetVersion),
            name: f.policyIds.join(', '),
            is_applied: f.policyIds.length > 0,
          },
        },
      ],
      action_id: allowed ? 1 : asks ? 99 : 2,
      action: allowed ? 'Allowed' : asks ? 'Approval needed' : 'Denied',
      status_code: f.reasonCode,
      delegation: { uid: f.delegationIds.at(-1) ?? f.mandateId },
    },
  };
}

function outcomeName(outcome: Outcome): string {
  if (outcome === Outcome.OUTCOME_ALLOW) return 'allow';
  return outcome === Outcome.OUTCOME_APPROVAL_NEEDED ? 'approval needed' : 'deny';
}

function rolesOf(roles: readonly Role[]): Json {
  return roles.map((role) => ({ name: (Role[role] ?? String(role)).replace('ROLE_', '').toLowerCase() }));
}

function lockTarget(kind: LockTargetKind): string {
  return (LockTargetKind[kind] ?? 'unknown').replace('LOCK_TARGET_KIND_', '').toLowerCase();
}
