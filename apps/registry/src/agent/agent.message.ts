import { Injectable } from '@nestjs/common';
import { type Agent as AgentMessage, AgentState } from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { formatSpiffeId, Identity } from '@writ/service';
import type { Row } from '../fold.view.js';
import { refuse } from './agent.js';
import { AgentView } from './agent.view.js';
import { type Agent, type AgentStatus, agentStatus } from './agent-state.js';

const stateOf: Readonly<Record<AgentStatus, AgentState>> = {
  unknown: AgentState.AGENT_STATE_UNSPECIFIED,
  'awaiting-attestation': AgentState.AGENT_STATE_AWAITING_ATTESTATION,
  active: AgentState.AGENT_STATE_ACTIVE,
  suspended: AgentState.AGENT_STATE_SUSPENDED,
  orphaned: AgentState.AGENT_STATE_ORPHANED,
  retired: AgentState.AGENT_STATE_RETIRED,
};

/** Agents as callers see them. */
@Injectable()
export class AgentMessages {
  constructor(
    private readonly agents: AgentView,
    private readonly identity: Identity,
  ) {}

  /** @throws Refusal AGENT_UNKNOWN */
  async of(agentId: string): Promise<AgentMessage> {
    const row = await this.agents.find(agentId);
    if (row === undefined) throw refuse('AGENT_UNKNOWN', `no agent \`${agentId}\``);
    return this.from(row);
  }

  from({ id: agentId, state: agent, etag, firstAt, lastAt }: Row<Agent>): AgentMessage {
    const { registration, trust } = agent;
    return {
      name: `agents/${agentId}`,
      agentId,
      displayName: registration?.displayName ?? '',
      builder: registration?.builder ?? '',
      owner: registration?.owner ?? '',
      sponsorId: agent.sponsorId,
      blueprintId: registration?.blueprintId ?? '',
      purpose: registration?.purpose ?? '',
      environment: registration?.environment ?? Environment.ENVIRONMENT_UNSPECIFIED,
      sensitivity: registration?.sensitivity ?? Sensitivity.SENSITIVITY_UNSPECIFIED,
      provenance: agent.provenance,
      keyId: agent.keyId,
      jwk: agent.jwk,
      state: stateOf[agentStatus(agent)],
      suspendReason: agent.suspendReason,
      trust: trust && {
        score: trust.score,
        functionVersion: trust.functionVersion,
        points: trust.points,
        scoreTime: undefined,
      },
      spiffeId: formatSpiffeId({ trustDomain: this.identity.trustDomain, kind: 'agent', id: agentId }),
      registerTime: firstAt,
      updateTime: lastAt,
      etag,
    };
  }
}
