import type {
  AgentAttested,
  AgentConductNoted,
  AgentKeyRotated,
  AgentOrphaned,
  AgentProvenanceChanged,
  AgentRegistered,
  AgentReinstated,
  AgentRetired,
  AgentSponsorChanged,
  AgentSuspended,
  AgentTrustScored,
  Provenance,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { unreachable } from '@writ/kernel';

export type AgentEvent =
  | { type: 'AgentRegistered'; data: AgentRegistered }
  | { type: 'AgentAttested'; data: AgentAttested }
  | { type: 'AgentProvenanceChanged'; data: AgentProvenanceChanged }
  | { type: 'AgentKeyRotated'; data: AgentKeyRotated }
  | { type: 'AgentSuspended'; data: AgentSuspended }
  | { type: 'AgentReinstated'; data: AgentReinstated }
  | { type: 'AgentOrphaned'; data: AgentOrphaned }
  | { type: 'AgentSponsorChanged'; data: AgentSponsorChanged }
  | { type: 'AgentRetired'; data: AgentRetired }
  | { type: 'AgentTrustScored'; data: AgentTrustScored }
  | { type: 'AgentConductNoted'; data: AgentConductNoted };

/** Everything the facts say of one agent. Plain values only: it is stored as JSON in the read model. */
export interface Agent {
  readonly registration: AgentRegistered | undefined;
  readonly sponsorId: string;
  readonly provenance: Provenance;
  readonly keyId: string;
  readonly jwk: string;
  readonly attested: boolean;
  readonly suspended: boolean;
  readonly suspendReason: string;
  readonly orphaned: boolean;
  readonly retired: boolean;
  readonly suspensions: number;
  readonly locks: number;
  readonly provenanceChanges: number;
  readonly evidence: readonly string[];
  readonly trust: AgentTrustScored | undefined;
}

export type AgentStatus =
  | 'unknown'
  | 'awaiting-attestation'
  | 'active'
  | 'suspended'
  | 'orphaned'
  | 'retired';

/** The one word for where an agent stands; the gravest wins. Only `active` may act. */
export function agentStatus(agent: Agent): AgentStatus {
  if (agent.registration === undefined) return 'unknown';
  if (agent.retired) return 'retired';
  if (agent.orphaned) return 'orphaned';
  if (agent.suspended) return 'suspended';
  return agent.attested ? 'active' : 'awaiting-attestation';
}

export function evolve(agent: Agent, event: AgentEvent): Agent {
  switch (event.type) {
    case 'AgentRegistered': {
      const { sponsorId, provenance, keyId, jwk } = event.data;
      return {
        ...agent,
        registration: event.data,
        sponsorId,
        provenance: provenance ?? noProvenance,
        keyId,
        jwk,
      };
    }
    case 'AgentAttested':
      return { ...agent, attested: true };
    case 'AgentProvenanceChanged': {
      const provenance = event.data.provenance ?? noProvenance;
      return { ...agent, attested: false, provenance, provenanceChanges: agent.provenanceChanges + 1 };
    }
    case 'AgentKeyRotated':
      return { ...agent, keyId: event.data.keyId, jwk: event.data.jwk };
    case 'AgentSuspended':
      return {
        ...agent,
        suspended: true,
        suspendReason: event.data.reason,
        suspensions: agent.suspensions + 1,
      };
    case 'AgentReinstated':
      return { ...agent, suspended: false, suspendReason: '' };
    case 'AgentOrphaned':
      return { ...agent, orphaned: true, attested: false };
    case 'AgentSponsorChanged':
      return { ...agent, sponsorId: event.data.sponsorId, orphaned: false, attested: false };
    case 'AgentRetired':
      return { ...agent, retired: true };
    case 'AgentTrustScored':
      return { ...agent, trust: event.data };
    case 'AgentConductNoted':
      return { ...agent, locks: agent.locks + 1, evidence: [...agent.evidence, event.data.evidence] };
    default:
      return unreachable(event);
  }
}

/** Of whose parts nothing is known. */
export const noProvenance: Provenance = {
  modelDigest: '',
  systemPromptDigest: '',
  toolsDigest: '',
  imageDigest: '',
};

export const nobody: Agent = {
  registration: undefined,
  sponsorId: '',
  provenance: noProvenance,
  keyId: '',
  jwk: '',
  attested: false,
  suspended: false,
  suspendReason: '',
  orphaned: false,
  retired: false,
  suspensions: 0,
  locks: 0,
  provenanceChanges: 0,
  evidence: [],
  trust: undefined,
};
