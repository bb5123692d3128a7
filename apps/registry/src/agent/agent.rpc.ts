import { Injectable } from '@nestjs/common';
import {
  type Agent as AgentMessage,
  AgentServiceService,
  AgentState,
  type AttestAgentRequest,
  type ChangeAgentProvenanceRequest,
  type ChangeAgentSponsorRequest,
  type GetAgentRequest,
  type ListAgentsRequest,
  type ListAgentsResponse,
  type RegisterAgentRequest,
  type ReinstateAgentRequest,
  type RetireAgentRequest,
  type RotateAgentKeyRequest,
  type ScoreAgentRequest,
  type SuspendAgentRequest,
} from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { CommandHandler } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  enumValue,
  id,
  optional,
  Pages,
  publicJwk,
  registeredKey,
  required,
  text,
} from '@writ/service';
import { provenanceProblems } from '../provenance-fields.js';
import { agentFacts } from './agent.facts.js';
import { type AgentCommand, agentDecider, refuse } from './agent.js';
import { AgentMessages } from './agent.message.js';
import { AgentView } from './agent.view.js';
import { AgentParties } from './agent-parties.flow.js';
import { noProvenance } from './agent-state.js';

const readers = ['role:admin', 'role:operator', 'role:sponsor', 'role:auditor', 'role:security'] as const;

/** Who may call what. The sponsor's own calls are checked again by the rules: only *its* sponsor attests an agent. */
export const agentAccess = {
  registerAgent: ['role:admin', 'role:operator'],
  getAgent: [...readers, 'role:approver', 'agent'],
  listAgents: readers,
  attestAgent: ['role:sponsor'],
  changeAgentProvenance: ['role:admin', 'role:operator'],
  changeAgentSponsor: ['role:admin', 'role:operator'],
  rotateAgentKey: ['role:admin', 'role:operator'],
  suspendAgent: ['role:admin', 'role:operator', 'role:sponsor', 'role:security'],
  reinstateAgent: ['role:admin', 'role:security'],
  retireAgent: ['role:admin', 'role:operator'],
  scoreAgent: ['role:admin', 'role:operator', 'role:security'],
} as const satisfies Access<typeof AgentServiceService>;

const statusOf: Readonly<Record<number, string>> = {
  [AgentState.AGENT_STATE_AWAITING_ATTESTATION]: 'awaiting-attestation',
  [AgentState.AGENT_STATE_ACTIVE]: 'active',
  [AgentState.AGENT_STATE_SUSPENDED]: 'suspended',
  [AgentState.AGENT_STATE_ORPHANED]: 'orphaned',
  [AgentState.AGENT_STATE_RETIRED]: 'retired',
};

@Injectable()
export class AgentRpc implements Calls<typeof AgentServiceService> {
  static readonly service = AgentServiceService;
  static readonly access = agentAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly agents: AgentView,
    private readonly parties: AgentParties,
    private readonly messages: AgentMessages,
    private readonly pages: Pages,
  ) {}

  async registerAgent(request: RegisterAgentRequest, call: Call): Promise<AgentMessage> {
    const { displayName, builder, owner, sponsorId, blueprintId, purpose, environment, sensitivity, jwk } =
      request;
    const provenance = request.provenance ?? noProvenance;
    check({
      displayName: text(displayName, { max: 200 }),
      builder: text(builder, { max: 200 }),
      owner: text(owner, { max: 200 }),
      sponsorId: id('psn', sponsorId),
      blueprintId: optional(blueprintId, id('bpr', blueprintId)),
      purpose: text(purpose, { max: 2000, multiline: true }),
      environment: enumValue(Environment, environment),
      sensitivity: enumValue(Sensitivity, sensitivity),
      jwk: required(jwk, publicJwk(jwk)),
      ...provenanceProblems(provenance),
    });
    const agentId = call.newId('agt');
    const sponsor = await this.parties.sponsor(sponsorId);
    const family = blueprintId === '' ? undefined : await this.parties.family(blueprintId);
    const described = {
      agentId,
      displayName,
      builder,
      owner,
      sponsor,
      family,
      purpose,
      environment,
      sensitivity,
    };
    return this.#change(
      call,
      { type: 'RegisterAgent', at: call.at, ...described, provenance, ...registeredKey(jwk) },
      '',
    );
  }

  async getAgent({ agentId }: GetAgentRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId) });
    if (call.caller.kind === 'agent' && call.caller.id !== agentId) {
      throw refuse('AGENT_UNKNOWN', `an agent sees itself only`);
    }
    return this.messages.of(agentId);
  }

  async listAgents(request: ListAgentsRequest, call: Call): Promise<ListAgentsResponse> {
    const { owner, sponsorId, blueprintId, environment, state } = request;
    check({
      owner: optional(owner, text(owner, { max: 200 })),
      sponsorId: optional(sponsorId, id('psn', sponsorId)),
      blueprintId: optional(blueprintId, id('bpr', blueprintId)),
      environment: environment === 0 ? undefined : enumValue(Environment, environment),
      state: state === 0 ? undefined : enumValue(AgentState, state),
    });
    const where = {
      status: statusOf[state] ?? '',
      owner,
      sponsor_id: sponsorId,
      blueprint_id: blueprintId,
      environment: environment === 0 ? '' : String(environment),
    };
    const page = this.pages.open(request, { list: 'agents', where, caller: call.actor });
    const { rows, nextPageToken } = page.cut(await this.agents.list(page, where), (row) => row.id);
    return { agents: rows.map((row) => this.messages.from(row)), nextPageToken };
  }

  async attestAgent({ agentId, etag }: AttestAgentRequest, call: Call): Promise<AgentMessage> {
    check({
      agentId: id('agt', agentId),
      // Without it, what was changed after the sponsor looked would be attested unseen.
      etag: etag === '' ? 'is required: the one of the agent as you saw it' : undefined,
    });
    const sponsor = await this.parties.sponsor(call.caller.id);
    return this.#change(
      call,
      { type: 'AttestAgent', at: call.at, agentId, personId: call.caller.id, sponsor },
      etag,
    );
  }

  async changeAgentProvenance(request: ChangeAgentProvenanceRequest, call: Call): Promise<AgentMessage> {
    const { agentId, etag } = request;
    const provenance = request.provenance ?? noProvenance;
    check({
      agentId: id('agt', agentId),
      provenance: required(request.provenance),
      ...provenanceProblems(provenance),
    });
    return this.#change(call, { type: 'ChangeAgentProvenance', at: call.at, agentId, provenance }, etag);
  }

  async changeAgentSponsor(request: ChangeAgentSponsorRequest, call: Call): Promise<AgentMessage> {
    const { agentId, sponsorId, etag } = request;
    check({ agentId: id('agt', agentId), sponsorId: id('psn', sponsorId) });
    const sponsor = await this.parties.sponsor(sponsorId);
    return this.#change(call, { type: 'ChangeAgentSponsor', at: call.at, agentId, sponsor }, etag);
  }

  async rotateAgentKey({ agentId, jwk, etag }: RotateAgentKeyRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId), jwk: required(jwk, publicJwk(jwk)) });
    return this.#change(call, { type: 'RotateAgentKey', at: call.at, agentId, ...registeredKey(jwk) }, etag);
  }

  async suspendAgent({ agentId, reason, etag }: SuspendAgentRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId), reason: text(reason, { max: 500 }) });
    return this.#change(call, { type: 'SuspendAgent', at: call.at, agentId, reason }, etag);
  }

  async reinstateAgent({ agentId, etag }: ReinstateAgentRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId) });
    return this.#change(call, { type: 'ReinstateAgent', at: call.at, agentId }, etag);
  }

  async retireAgent({ agentId, etag }: RetireAgentRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId) });
    return this.#change(call, { type: 'RetireAgent', at: call.at, agentId }, etag);
  }

  async scoreAgent({ agentId }: ScoreAgentRequest, call: Call): Promise<AgentMessage> {
    check({ agentId: id('agt', agentId) });
    return this.#change(call, { type: 'ScoreAgent', at: call.at, agentId }, '');
  }

  async #change(call: Call, command: AgentCommand, expectedEtag: string): Promise<AgentMessage> {
    const { agentId } = command;
    const order = { decider: agentDecider, facts: agentFacts, streamId: `agent-${agentId}`, kind: 'agent' };
    const { streamId } = await this.commands.handle({
      ...order,
      partKey: agentId,
      command,
      call,
      expectedEtag,
    });
    return this.messages.of(streamId.slice('agent-'.length));
  }
}
