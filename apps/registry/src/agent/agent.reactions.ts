import { Injectable } from '@nestjs/common';
import { ConductKind } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonLeft } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LockPlaced, LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { CommandHandler, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { AgentOrphaning } from './agent.background.js';
import { agentFacts } from './agent.facts.js';
import { type AgentCommand, agentDecider } from './agent.js';
import { AgentView } from './agent.view.js';
import { AgentsDue } from './agent-due.store.js';

/** A sponsor who leaves orphans their agents; a lock on an agent costs it trust. */
@Injectable()
export class AgentReactions extends Reactions {
  readonly group = 'registry-agent';
  readonly sources = ['registry', 'session-broker'];

  constructor(
    private readonly commands: CommandHandler,
    private readonly agents: AgentView,
    private readonly due: AgentsDue,
    private readonly orphaning: AgentOrphaning,
  ) {
    super();
  }

  async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    if (fact.fullType === 'writ.registry.v1.PersonLeft') {
      const { personId } = PersonLeft.decode(fact.data);
      await this.due.note(personId, call, tx);
      tx.afterCommit(() => void this.orphaning.wake());
    }
    if (fact.fullType === 'writ.session.v1.LockPlaced') {
      const { targetKind, targetId } = LockPlaced.decode(fact.data);
      const isKnown =
        targetKind === LockTargetKind.LOCK_TARGET_KIND_AGENT &&
        (await this.agents.find(targetId)) !== undefined;
      if (!isKnown) return;
      const evidence = `fact:${fact.source}/${fact.pos}`;
      const kind = ConductKind.CONDUCT_KIND_LOCKED;
      await this.#command({ type: 'NoteConduct', at: call.at, agentId: targetId, kind, evidence }, tx, call);
    }
  }

  async #command(command: AgentCommand, tx: Tx, call: Call): Promise<void> {
    const { agentId } = command;
    const order = { decider: agentDecider, facts: agentFacts, streamId: `agent-${agentId}`, kind: 'agent' };
    await this.commands.handle({ ...order, partKey: agentId, command, call }, tx);
  }
}
