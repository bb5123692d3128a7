import { Injectable } from '@nestjs/common';
import { WithdrawCause } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { PolicySetApplied } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { LockPlaced, LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { SessionEndCause, SessionEnded } from '@writ/contracts/writ/session/v1/session_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { CommandHandler, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { approvalFacts } from './approval.facts.js';
import { type ApprovalCommand, approvalDecider } from './approval.js';
import { ApprovalView } from './approval.view.js';
import { DecisionApprovals } from './decision-approval.store.js';
import { EndedSessions } from './ended-session.store.js';

const causeOfEnd: Readonly<Partial<Record<SessionEndCause, WithdrawCause>>> = {
  [SessionEndCause.SESSION_END_CAUSE_LOCKED]: WithdrawCause.WITHDRAW_CAUSE_LOCKED,
  [SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED]: WithdrawCause.WITHDRAW_CAUSE_AGENT_STOPPED,
};

function withdrawCauseOf(cause: SessionEndCause): WithdrawCause {
  return causeOfEnd[cause] ?? WithdrawCause.WITHDRAW_CAUSE_SESSION_ENDED;
}

function quorumOf({ approvalDemand }: DecisionMade): number {
  return Math.max(1, approvalDemand?.quorum ?? 1);
}

/** Decisions that need people become requests; what stops an agent withdraws what it asked for. */
@Injectable()
export class ApprovalReactions extends Reactions {
  readonly group = 'approvals-approval';
  readonly sources = ['policy-engine', 'session-broker'];

  constructor(
    private readonly links: DecisionApprovals,
    private readonly ended: EndedSessions,
    private readonly commands: CommandHandler,
    private readonly approvals: ApprovalView,
  ) {
    super();
  }

  async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    switch (fact.fullType) {
      case 'writ.policy.v1.DecisionMade':
        return this.#decision(DecisionMade.decode(fact.data), tx, call);
      case 'writ.policy.v1.PolicySetApplied': {
        const { policySetId } = PolicySetApplied.decode(fact.data);
        const ids = await this.approvals.openUnderOtherPolicies(policySetId, tx);
        return this.#withdraw(ids, WithdrawCause.WITHDRAW_CAUSE_POLICY_CHANGED, tx, call);
      }
      case 'writ.session.v1.SessionEnded': {
        const { sessionId, cause } = SessionEnded.decode(fact.data);
        await this.ended.put(tx, sessionId, withdrawCauseOf(cause), fact.at);
        const ids = await this.approvals.open('session_id', sessionId, tx);
        return this.#withdraw(ids, withdrawCauseOf(cause), tx, call);
      }
      case 'writ.session.v1.LockPlaced': {
        const ids = await this.#lockedBy(LockPlaced.decode(fact.data), tx);
        return this.#withdraw(ids, WithdrawCause.WITHDRAW_CAUSE_LOCKED, tx, call);
      }
      default:
        // Other facts of these services open and close no approval.
        return;
    }
  }

  async #decision(decision: DecisionMade, tx: Tx, call: Call): Promise<void> {
    const { outcome, decisionId, approvalId } = decision;
    if (outcome === Outcome.OUTCOME_ALLOW && approvalId !== '') {
      await this.#command({ type: 'MarkApprovalUsed', approvalId, decisionId }, tx, call);
    }
    if (outcome !== Outcome.OUTCOME_APPROVAL_NEEDED || decision.approvalDemand === undefined) return;
    const { sessionId, actionDigest, policySetId, decideTime: at = call.at } = decision;
    const quorum = quorumOf(decision);
    const open = await this.approvals.openFor({ sessionId, actionDigest, policySetId, quorum, at }, tx);
    const id = open ?? call.newId('apr');
    // Asking again for what is still open leads to the same approval, if it can still be used for this decision.
    await this.links.put(tx, decisionId, id);
    if (open === undefined) await this.#request(id, decision, tx, call);
    // Facts of two services come in no common order: the session may have ended before its decision arrives here.
    const cause = await this.ended.causeOf(tx, sessionId);
    if (cause !== undefined) await this.#withdraw([id], cause, tx, call);
  }

  async #request(approvalId: string, decision: DecisionMade, tx: Tx, call: Call): Promise<void> {
    const { decisionId, sessionId, agentId, personId, sponsorId, mandateId, action, actionDigest } = decision;
    const { purpose, task, policySetId, policySetVersion, approvalDemand, decideTime } = decision;
    const expireTime = new Date((decideTime ?? call.at).getTime() + (approvalDemand?.ttlSeconds ?? 0) * 1000);
    const quorum = quorumOf(decision);
    const ids = { approvalId, decisionId, sessionId, agentId, personId, sponsorId, mandateId };
    const what = { action, actionDigest, purpose, task, policySetId, policySetVersion, quorum, expireTime };
    await this.#command({ type: 'RequestApproval', request: { ...ids, ...what } }, tx, call);
  }

  async #lockedBy({ targetKind, targetId }: LockPlaced, tx: Tx): Promise<readonly string[]> {
    switch (targetKind) {
      case LockTargetKind.LOCK_TARGET_KIND_EVERYTHING:
        return this.approvals.allOpen(tx);
      case LockTargetKind.LOCK_TARGET_KIND_AGENT:
        return this.approvals.open('agent_id', targetId, tx);
      case LockTargetKind.LOCK_TARGET_KIND_SESSION:
        return this.approvals.open('session_id', targetId, tx);
      case LockTargetKind.LOCK_TARGET_KIND_PERSON:
        return this.approvals.open('person_id', targetId, tx);
      default:
        // Families, teams and tools are not known here; their sessions end, and that withdraws.
        return [];
    }
  }

  async #withdraw(ids: readonly string[], cause: WithdrawCause, tx: Tx, call: Call): Promise<void> {
    for (const approvalId of ids)
      await this.#command({ type: 'WithdrawApproval', approvalId, cause }, tx, call);
  }

  async #command(command: ApprovalCommand, tx: Tx, call: Call): Promise<void> {
    const approvalId = command.type === 'RequestApproval' ? command.request.approvalId : command.approvalId;
    const order = {
      decider: approvalDecider,
      facts: approvalFacts,
      streamId: `approval-${approvalId}`,
      kind: 'approval',
    };
    await this.commands.handle({ ...order, partKey: approvalId, command, call }, tx);
  }
}
