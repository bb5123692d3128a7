import type {
  ApprovalDenied,
  ApprovalExpired,
  ApprovalGranted,
  ApprovalRequested,
  ApprovalUsed,
  ApprovalVoted,
  ApprovalWithdrawn,
  WithdrawCause,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { canonicalJson, type Decider, refusals, unreachable } from '@writ/kernel';

export type ApprovalEvent =
  | { type: 'ApprovalRequested'; data: ApprovalRequested }
  | { type: 'ApprovalVoted'; data: ApprovalVoted }
  | { type: 'ApprovalGranted'; data: ApprovalGranted }
  | { type: 'ApprovalDenied'; data: ApprovalDenied }
  | { type: 'ApprovalExpired'; data: ApprovalExpired }
  | { type: 'ApprovalWithdrawn'; data: ApprovalWithdrawn }
  | { type: 'ApprovalUsed'; data: ApprovalUsed };

export interface Ballot {
  readonly personId: string;
  readonly approve: boolean;
  readonly reason: string;
  readonly keyId: string;
  /** Compact JWS over `statementOf(…)`; verified before the rules see it. */
  readonly signature: string;
}

export type ApprovalCommand =
  | { type: 'RequestApproval'; request: ApprovalRequested }
  | { type: 'Vote'; approvalId: string; at: Date; ballot: Ballot }
  | { type: 'ExpireApproval'; approvalId: string; at: Date }
  | { type: 'WithdrawApproval'; approvalId: string; cause: WithdrawCause }
  | { type: 'MarkApprovalUsed'; approvalId: string; decisionId: string };

export type ApprovalStatus = 'unknown' | 'pending' | 'granted' | 'denied' | 'expired' | 'withdrawn' | 'used';

export interface Approval {
  readonly status: ApprovalStatus;
  readonly request: ApprovalRequested | undefined;
  readonly ballots: readonly ApprovalVoted[];
}

export const refuse = refusals({
  APPROVAL_UNKNOWN: 'not-found',
  APPROVAL_CLOSED: 'precondition',
  APPROVAL_EXPIRED: 'precondition',
  SELF_APPROVAL: 'forbidden',
  ALREADY_VOTED: 'conflict',
});

/**
 * What an approver signs: canonical JSON that names the approval, the digest of the exact action, the policy set it was
 * decided under, and the vote. Whoever changes any of them changes the text, and the signature no longer fits.
 */
export function statementOf(request: ApprovalRequested, approve: boolean): string {
  return canonicalJson({
    statement: 'writ-approval-v1',
    approval_id: request.approvalId,
    decision_id: request.decisionId,
    session_id: request.sessionId,
    agent_id: request.agentId,
    action_digest: request.actionDigest,
    policy_set_id: request.policySetId,
    vote: approve ? 'approve' : 'deny',
  });
}

function vote(
  approval: Approval,
  request: ApprovalRequested,
  ballot: Ballot,
  at: Date,
): readonly ApprovalEvent[] {
  const { approvalId } = request;
  const { personId, approve } = ballot;
  if (personId === request.personId) {
    throw refuse(
      'SELF_APPROVAL',
      `\`${personId}\` granted the mandate that this action runs under; somebody else must decide`,
    );
  }
  if (personId === request.sponsorId) {
    throw refuse(
      'SELF_APPROVAL',
      `\`${personId}\` answers for the agent that asks; somebody else must decide`,
    );
  }
  const before = approval.ballots.find((cast) => cast.personId === personId);
  if (before?.approve === approve) return [];
  if (before !== undefined)
    throw refuse('ALREADY_VOTED', `\`${personId}\` has voted on \`${approvalId}\`; a vote is final`);
  if (approval.status !== 'pending') {
    throw refuse(
      'APPROVAL_CLOSED',
      `approval \`${approvalId}\` is ${approval.status}; the agent must ask again`,
    );
  }
  if (request.expireTime === undefined || at >= request.expireTime) {
    throw refuse('APPROVAL_EXPIRED', `approval \`${approvalId}\` has expired; the agent must ask again`);
  }
  const voted: ApprovalEvent = { type: 'ApprovalVoted', data: { approvalId, ...ballot } };
  if (!approve)
    return [voted, { type: 'ApprovalDenied', data: { approvalId, personId, reason: ballot.reason } }];
  const approverIds = [...approval.ballots.map((cast) => cast.personId), personId];
  if (approverIds.length < request.quorum) return [voted];
  const { decisionId, sessionId, actionDigest, policySetId, expireTime } = request;
  const granted = { approvalId, decisionId, sessionId, actionDigest, policySetId, expireTime, approverIds };
  return [voted, { type: 'ApprovalGranted', data: granted }];
}

function decide(command: ApprovalCommand, approval: Approval): readonly ApprovalEvent[] {
  if (command.type === 'RequestApproval') {
    return approval.status === 'unknown' ? [{ type: 'ApprovalRequested', data: command.request }] : [];
  }
  const { approvalId } = command;
  const { request, status } = approval;
  if (request === undefined) throw refuse('APPROVAL_UNKNOWN', `no approval \`${approvalId}\``);
  const isOpen = status === 'pending' || status === 'granted';
  switch (command.type) {
    case 'Vote':
      return vote(approval, request, command.ballot, command.at);
    case 'ExpireApproval':
      if (!isOpen || request.expireTime === undefined || command.at < request.expireTime) return [];
      return [{ type: 'ApprovalExpired', data: { approvalId } }];
    case 'WithdrawApproval':
      return isOpen ? [{ type: 'ApprovalWithdrawn', data: { approvalId, cause: command.cause } }] : [];
    case 'MarkApprovalUsed':
      // The engine has used it already and its word is final, whatever has happened here since.
      return status === 'used'
        ? []
        : [{ type: 'ApprovalUsed', data: { approvalId, decisionId: command.decisionId } }];
    default:
      return unreachable(command);
  }
}

function evolve(approval: Approval, event: ApprovalEvent): Approval {
  switch (event.type) {
    case 'ApprovalRequested':
      return { ...approval, status: 'pending', request: event.data };
    case 'ApprovalVoted':
      return { ...approval, ballots: [...approval.ballots, event.data] };
    case 'ApprovalGranted':
      return { ...approval, status: 'granted' };
    case 'ApprovalDenied':
      return { ...approval, status: 'denied' };
    case 'ApprovalExpired':
      return { ...approval, status: 'expired' };
    case 'ApprovalWithdrawn':
      return { ...approval, status: 'withdrawn' };
    case 'ApprovalUsed':
      return { ...approval, status: 'used' };
    default:
      return unreachable(event);
  }
}

export const approvalDecider: Decider<Approval, ApprovalCommand, ApprovalEvent> = {
  initialState: () => ({ status: 'unknown', request: undefined, ballots: [] }),
  decide,
  evolve,
};
