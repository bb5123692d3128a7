import * as approval from '@writ/contracts/writ/approval/v1/approval_facts.js';
import * as decision from '@writ/contracts/writ/policy/v1/decision_facts.js';
import * as policySet from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import * as agent from '@writ/contracts/writ/registry/v1/agent_facts.js';
import * as blueprint from '@writ/contracts/writ/registry/v1/blueprint_facts.js';
import * as certificate from '@writ/contracts/writ/registry/v1/certificate_facts.js';
import * as person from '@writ/contracts/writ/registry/v1/person_facts.js';
import * as delegation from '@writ/contracts/writ/session/v1/delegation_facts.js';
import * as lock from '@writ/contracts/writ/session/v1/lock_facts.js';
import * as mandate from '@writ/contracts/writ/session/v1/mandate_facts.js';
import * as session from '@writ/contracts/writ/session/v1/session_facts.js';
import * as signingKey from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import * as lease from '@writ/contracts/writ/vault/v1/lease_facts.js';
import * as secret from '@writ/contracts/writ/vault/v1/secret_facts.js';
import type { Codec } from '@writ/event-store';
import { type Subjects, subjectsOf } from './subject.js';

interface FactCodec<T> extends Codec<T> {
  toJSON(message: T): unknown;
}

/** Puts the package before each name, in the type as well. */
function inPackage<const P extends string, T extends object>(name: P, codecs: T) {
  const rows = Object.entries(codecs).map(([type, codec]) => [`${name}.${type}`, codec]);
  return Object.fromEntries(rows) as { readonly [K in keyof T & string as `${P}.${K}`]: T[K] };
}

/** Every fact of every service, by its full name. A fact without a row fails `entry.facts.spec.ts`. */
export const factCodecs = {
  ...inPackage('writ.registry.v1', {
    AgentRegistered: agent.AgentRegistered,
    AgentAttested: agent.AgentAttested,
    AgentProvenanceChanged: agent.AgentProvenanceChanged,
    AgentKeyRotated: agent.AgentKeyRotated,
    AgentSuspended: agent.AgentSuspended,
    AgentReinstated: agent.AgentReinstated,
    AgentOrphaned: agent.AgentOrphaned,
    AgentSponsorChanged: agent.AgentSponsorChanged,
    AgentRetired: agent.AgentRetired,
    AgentTrustScored: agent.AgentTrustScored,
    AgentConductNoted: agent.AgentConductNoted,
    BlueprintDefined: blueprint.BlueprintDefined,
    BlueprintRetired: blueprint.BlueprintRetired,
    CertificateIssued: certificate.CertificateIssued,
    PersonRegistered: person.PersonRegistered,
    PersonRolesChanged: person.PersonRolesChanged,
    PersonKeyAdded: person.PersonKeyAdded,
    PersonKeyRetired: person.PersonKeyRetired,
    PersonLeft: person.PersonLeft,
  }),
  ...inPackage('writ.session.v1', {
    MandateGranted: mandate.MandateGranted,
    MandateRevoked: mandate.MandateRevoked,
    DelegationMade: delegation.DelegationMade,
    DelegationRevoked: delegation.DelegationRevoked,
    SessionOpened: session.SessionOpened,
    TokenIssued: session.TokenIssued,
    SessionEnded: session.SessionEnded,
    SigningKeyAdded: signingKey.SigningKeyAdded,
    SigningKeyRetired: signingKey.SigningKeyRetired,
    LockPlaced: lock.LockPlaced,
    LockLifted: lock.LockLifted,
  }),
  ...inPackage('writ.policy.v1', {
    PolicySetApplied: policySet.PolicySetApplied,
    DecisionMade: decision.DecisionMade,
  }),
  ...inPackage('writ.approval.v1', {
    ApprovalRequested: approval.ApprovalRequested,
    ApprovalVoted: approval.ApprovalVoted,
    ApprovalGranted: approval.ApprovalGranted,
    ApprovalDenied: approval.ApprovalDenied,
    ApprovalExpired: approval.ApprovalExpired,
    ApprovalWithdrawn: approval.ApprovalWithdrawn,
    ApprovalUsed: approval.ApprovalUsed,
  }),
  ...inPackage('writ.vault.v1', {
    DatabaseRoleDefined: lease.DatabaseRoleDefined,
    LeaseIssued: lease.LeaseIssued,
    LeaseRenewed: lease.LeaseRenewed,
    LeaseRevocationStarted: lease.LeaseRevocationStarted,
    LeaseRevocationFailed: lease.LeaseRevocationFailed,
    LeaseRevoked: lease.LeaseRevoked,
    SecretCreated: secret.SecretCreated,
    SecretVersionAdded: secret.SecretVersionAdded,
    SecretVersionDestroyed: secret.SecretVersionDestroyed,
    SecretRead: secret.SecretRead,
  }),
};

export type FactType = keyof typeof factCodecs;
export type FactData<T extends FactType> = ReturnType<(typeof factCodecs)[T]['decode']>;

/** A fact of a known type, opened. */
export type AnyFact = { [T in FactType]: { readonly type: T; readonly data: FactData<T> } }[FactType];

export function isFactType(type: string): type is FactType {
  return Object.hasOwn(factCodecs, type);
}

/** Undefined for a type this program does not know, and for bytes that are not a message of that type. */
export function openFact(type: string, payload: Uint8Array): AnyFact | undefined {
  if (!isFactType(type)) return undefined;
  try {
    return { type, data: factCodecs[type].decode(payload) } as AnyFact;
  } catch {
    // Whatever the decoder says, the bytes are no such message; they are kept as they came.
    return undefined;
  }
}

/**
 * proto3 JSON of a fact (protobuf.dev/programming-guides/json); empty when it holds a time that JSON cannot
 * say.
 */
export function factJson(fact: AnyFact): string {
  const codec = factCodecs[fact.type] as FactCodec<unknown>;
  try {
    return JSON.stringify(codec.toJSON(fact.data));
  } catch (error) {
    if (error instanceof RangeError) return '';
    throw error;
  }
}

/**
 * What a fact is about, as the ledger's columns hold it: PostgreSQL's text has no U+0000, the payload keeps
 * it.
 */
export function storedSubjectsOf(fact: AnyFact): Subjects {
  const { ids, task } = subjectsOf(fact.data);
  return { ids, task: task.replaceAll('\u0000', '\ufffd') };
}

/** The same from the bytes; undefined for what cannot be opened. */
export function storedSubjects(type: string, payload: Uint8Array): Subjects | undefined {
  const fact = openFact(type, payload);
  return fact && storedSubjectsOf(fact);
}
