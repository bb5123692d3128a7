import { Injectable } from '@nestjs/common';
import { AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { SessionEnded, SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import type { Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { KnownSessions } from '../session/session.store.js';
import { LeaseRevocation } from './lease.background.js';
import { LeaseView } from './lease.view.js';
import { LeaseCommands } from './lease-command.flow.js';

/**
 * A session that ends takes its leases with it. The end is recorded for each lease in the transaction that consumes the
 * fact; the database is told right after it, and until it confirms the lease is shown as being revoked.
 */
@Injectable()
export class LeaseReactions extends Reactions {
  readonly group = 'vault.leases';
  readonly sources = ['session-broker', 'registry'];

  constructor(
    private readonly sessions: KnownSessions,
    private readonly leases: LeaseView,
    private readonly commands: LeaseCommands,
    private readonly revocation: LeaseRevocation,
  ) {
    super();
  }

  async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    switch (fact.fullType) {
      case 'writ.registry.v1.AgentRegistered': {
        const { agentId, owner, blueprintId } = AgentRegistered.decode(fact.data);
        return this.sessions.registered(tx, agentId, owner, blueprintId);
      }
      case 'writ.session.v1.SessionOpened':
        return this.sessions.opened(tx, SessionOpened.decode(fact.data), fact.at);
      case 'writ.session.v1.SessionEnded':
        return this.#end(SessionEnded.decode(fact.data), tx, call);
      default:
        // Other facts of these services change nothing that the vault knows; what they lead to comes as SessionEnded.
        return;
    }
  }

  async #end({ sessionId, agentId }: SessionEnded, tx: Tx, call: Call): Promise<void> {
    // First: a lease that is being recorded for this session now is either seen below or refused.
    await this.sessions.ended(tx, sessionId, agentId);
    const cause = RevokeCause.REVOKE_CAUSE_SESSION_ENDED;
    for (const lease of await this.leases.activeOf(tx, sessionId)) {
      const { leaseId, agentId: partKey } = lease;
      await this.commands.handle({ type: 'RevokeLease', leaseId, cause }, partKey, call, tx);
      tx.afterCommit(() => this.revocation.soon(lease, call));
    }
  }
}
