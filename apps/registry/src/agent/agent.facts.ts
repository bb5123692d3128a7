import {
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
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import type { Facts } from '@writ/event-store';
import type { AgentEvent } from './agent-state.js';

export const agentFacts: Facts<AgentEvent> = {
  AgentRegistered,
  AgentAttested,
  AgentProvenanceChanged,
  AgentKeyRotated,
  AgentSuspended,
  AgentReinstated,
  AgentOrphaned,
  AgentSponsorChanged,
  AgentRetired,
  AgentTrustScored,
  AgentConductNoted,
};
