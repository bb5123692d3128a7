import {
  ApprovalDenied,
  ApprovalExpired,
  ApprovalGranted,
  ApprovalUsed,
  ApprovalWithdrawn,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import {
  AgentAttested,
  AgentOrphaned,
  AgentProvenanceChanged,
  AgentRegistered,
  AgentReinstated,
  AgentRetired,
  AgentSponsorChanged,
  AgentSuspended,
  AgentTrustScored,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonLeft, PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { DelegationMade, DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { MandateGranted, MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEnded, SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import type { Codec, Facts } from '@writ/event-store';
import type { ApprovalEvent, KnownEvent, RegistryEvent, SessionEvent } from './known-event.js';

export const registryFacts = {
  AgentRegistered,
  AgentAttested,
  AgentProvenanceChanged,
  AgentSuspended,
  AgentReinstated,
  AgentOrphaned,
  AgentSponsorChanged,
  AgentRetired,
  AgentTrustScored,
  PersonRegistered,
  PersonLeft,
} satisfies Facts<RegistryEvent>;

export const sessionFacts = {
  MandateGranted,
  MandateRevoked,
  DelegationMade,
  DelegationRevoked,
  SessionOpened,
  SessionEnded,
} satisfies Facts<SessionEvent>;

export const approvalFacts = {
  ApprovalGranted,
  ApprovalDenied,
  ApprovalExpired,
  ApprovalWithdrawn,
  ApprovalUsed,
} satisfies Facts<ApprovalEvent>;

/** Who says what: a fact counts only when it comes from the service whose fact it is. */
const codecs: Readonly<Record<string, Readonly<Record<string, Codec<unknown>>>>> = {
  registry: registryFacts,
  'session-broker': sessionFacts,
  approvals: approvalFacts,
};

/** The services whose facts decisions are made from. */
export const knowledgeSources = ['registry', 'session-broker', 'approvals'] as const;

/** The fact as an event; undefined for one that decisions do not depend on. Throws for bytes that do not decode. */
export function knownEventOf(fact: {
  source: string;
  type: string;
  data: Uint8Array;
}): KnownEvent | undefined {
  const ofSource = codecs[fact.source];
  if (ofSource === undefined || !Object.hasOwn(ofSource, fact.type)) return undefined;
  const event = { type: fact.type, data: ofSource[fact.type]?.decode(fact.data) };
  return event as KnownEvent;
}
