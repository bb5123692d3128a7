import type {
  ApprovalDenied,
  ApprovalExpired,
  ApprovalGranted,
  ApprovalUsed,
  ApprovalWithdrawn,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import type {
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
import type { PersonLeft, PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { DelegationMade, DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import type { MandateGranted, MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import type { SessionEnded, SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';

/** Facts of the registry that decisions are made from. */
export type RegistryEvent =
  | { type: 'AgentRegistered'; data: AgentRegistered }
  | { type: 'AgentAttested'; data: AgentAttested }
  | { type: 'AgentProvenanceChanged'; data: AgentProvenanceChanged }
  | { type: 'AgentSuspended'; data: AgentSuspended }
  | { type: 'AgentReinstated'; data: AgentReinstated }
  | { type: 'AgentOrphaned'; data: AgentOrphaned }
  | { type: 'AgentSponsorChanged'; data: AgentSponsorChanged }
  | { type: 'AgentRetired'; data: AgentRetired }
  | { type: 'AgentTrustScored'; data: AgentTrustScored }
  | { type: 'PersonRegistered'; data: PersonRegistered }
  | { type: 'PersonLeft'; data: PersonLeft };

/** Facts of the session broker that decisions are made from. Locks come by the watch feed, faster. */
export type SessionEvent =
  | { type: 'MandateGranted'; data: MandateGranted }
  | { type: 'MandateRevoked'; data: MandateRevoked }
  | { type: 'DelegationMade'; data: DelegationMade }
  | { type: 'DelegationRevoked'; data: DelegationRevoked }
  | { type: 'SessionOpened'; data: SessionOpened }
  | { type: 'SessionEnded'; data: SessionEnded };

/** Facts of the approvals service that decisions are made from. */
export type ApprovalEvent =
  | { type: 'ApprovalGranted'; data: ApprovalGranted }
  | { type: 'ApprovalDenied'; data: ApprovalDenied }
  | { type: 'ApprovalExpired'; data: ApprovalExpired }
  | { type: 'ApprovalWithdrawn'; data: ApprovalWithdrawn }
  | { type: 'ApprovalUsed'; data: ApprovalUsed };

export type KnownEvent = RegistryEvent | SessionEvent | ApprovalEvent;
