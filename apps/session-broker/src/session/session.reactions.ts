import { Injectable } from '@nestjs/common';
import {
  AgentOrphaned,
  AgentProvenanceChanged,
  AgentRetired,
  AgentSponsorChanged,
  AgentSuspended,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonLeft } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { LockPlaced, LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import type { Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { SessionEnding } from './session.end.js';
import { type Affected, SessionView } from './session.view.js';

interface Ends {
  readonly affected: Affected;
  readonly cause: SessionEndCause;
}

const stopped = (agentId: string): Ends => ({
  affected: { kind: 'agent', id: agentId },
  cause: SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED,
});
const revoked = (kind: 'mandate' | 'delegation', id: string): Ends => ({
  affected: { kind, id },
  cause: SessionEndCause.SESSION_END_CAUSE_AUTHORITY_REVOKED,
});

/** Which sessions each fact ends; the decisions that they would ask for are denied already, by locks and generations. */
const endings: Readonly<Record<string, (data: Uint8Array) => Ends | undefined>> = {
  'writ.registry.v1.AgentSuspended': (data) => stopped(AgentSuspended.decode(data).agentId),
  'writ.registry.v1.AgentOrphaned': (data) => stopped(AgentOrphaned.decode(data).agentId),
  'writ.registry.v1.AgentRetired': (data) => stopped(AgentRetired.decode(data).agentId),
  'writ.registry.v1.AgentProvenanceChanged': (data) => stopped(AgentProvenanceChanged.decode(data).agentId),
  'writ.registry.v1.AgentSponsorChanged': (data) => stopped(AgentSponsorChanged.decode(data).agentId),
  'writ.registry.v1.PersonLeft': (data) => ({
    affected: { kind: 'person', id: PersonLeft.decode(data).personId },
    cause: SessionEndCause.SESSION_END_CAUSE_PERSON_LEFT,
  }),
  'writ.session.v1.MandateRevoked': (data) => revoked('mandate', MandateRevoked.decode(data).mandateId),
  'writ.session.v1.DelegationRevoked': (data) =>
    revoked('delegation', DelegationRevoked.decode(data).delegationId),
  'writ.session.v1.LockPlaced': (data) => lockedBy(LockPlaced.decode(data)),
};

function lockedBy({ targetKind, targetId: id }: LockPlaced): Ends | undefined {
  const cause = SessionEndCause.SESSION_END_CAUSE_LOCKED;
  switch (targetKind) {
    case LockTargetKind.LOCK_TARGET_KIND_SESSION:
      return { affected: { kind: 'session', id }, cause };
    case LockTargetKind.LOCK_TARGET_KIND_AGENT:
      return { affected: { kind: 'agent', id }, cause };
    case LockTargetKind.LOCK_TARGET_KIND_BLUEPRINT:
      return { affected: { kind: 'blueprint', id }, cause };
    case LockTargetKind.LOCK_TARGET_KIND_OWNER:
      return { affected: { kind: 'owner', id }, cause };
    case LockTargetKind.LOCK_TARGET_KIND_PERSON:
      return { affected: { kind: 'person', id }, cause };
    case LockTargetKind.LOCK_TARGET_KIND_EVERYTHING:
      return { affected: { kind: 'everything' }, cause };
    default:
      // A locked tool stops actions, not the sessions that could also do others.
      return undefined;
  }
}

/** What stops an agent, a person or their authority ends every session that depends on it, at any depth. */
@Injectable()
export class SessionReactions extends Reactions {
  readonly group = 'session-broker.session';
  readonly sources = ['registry', 'session-broker'];

  constructor(
    private readonly sessions: SessionView,
    private readonly ending: SessionEnding,
  ) {
    super();
  }

  async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    const ends = endings[fact.fullType]?.(fact.data);
    if (ends === undefined) return;
    await this.ending.end(await this.sessions.openUnder(ends.affected, tx), ends.cause, call, tx);
  }
}
