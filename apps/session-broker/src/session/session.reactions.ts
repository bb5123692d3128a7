import { Injectable } from '@nestjs/common';
import {
  AgentKeyRotated,
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
import { PartyDirectory } from '../party/party.store.js';
import { SessionEnding } from './session.background.js';
import { type Affected, SessionsDue } from './session-due.store.js';

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
  // Its sessions are bound to the old key: whoever had that may not go on.
  'writ.registry.v1.AgentKeyRotated': (data) => stopped(AgentKeyRotated.decode(data).agentId),
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

/**
 * Keeps what is known of agents and people up to date, and lets what stops them or their authority end every session
 * that depends on it, at any depth. Both in one transaction: a session is opened before it, and is then seen and ended
 * here; or after it, and is then refused, because `OpenSession` looks at the parties again behind its append.
 */
@Injectable()
export class SessionReactions extends Reactions {
  readonly group = 'session-broker.session';
  readonly sources = ['registry', 'session-broker'];

  constructor(
    private readonly parties: PartyDirectory,
    private readonly due: SessionsDue,
    private readonly ending: SessionEnding,
  ) {
    super();
  }

  async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    const ends = endings[fact.fullType]?.(fact.data);
    const isOwn = fact.source === 'session-broker';
    // Our own facts are in order with the sessions already; others are put in order by keeping appends waiting.
    if (ends !== undefined && !isOwn) await tx.query('select session_broker.hold_head()');
    if (!isOwn) await this.parties.record(fact, tx);
    if (ends === undefined) return;
    await this.due.note({ ...ends, ...(isOwn && { openedBefore: fact.pos }) }, call, tx);
    tx.afterCommit(() => this.ending.wake());
  }
}
