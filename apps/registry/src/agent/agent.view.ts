import { Injectable } from '@nestjs/common';
import { Database } from '@writ/event-store';
import { FoldView } from '../fold.view.js';
import { agentFacts } from './agent.facts.js';
import { type AgentCommand, agentDecider } from './agent.js';
import { type Agent, type AgentEvent, agentStatus } from './agent-state.js';

/** All agents, by state, owner, sponsor, blueprint and environment. */
@Injectable()
export class AgentView extends FoldView<Agent, AgentCommand, AgentEvent> {
  constructor(database: Database) {
    super(database, {
      table: 'agent',
      kind: 'agent',
      decider: agentDecider,
      facts: agentFacts,
      columns: ['status', 'owner', 'sponsor_id', 'blueprint_id', 'environment'],
      columnsOf: (agent) => ({
        status: agentStatus(agent),
        owner: agent.registration?.owner ?? '',
        sponsor_id: agent.sponsorId,
        blueprint_id: agent.registration?.blueprintId ?? '',
        environment: String(agent.registration?.environment ?? 0),
      }),
    });
  }
}
