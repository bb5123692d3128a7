import { Injectable } from '@nestjs/common';
import {
  type Approval as ApprovalMessage,
  ApprovalServiceService,
  ApprovalState,
  type GetApprovalRequest,
  type ListApprovalsRequest,
  type ListApprovalsResponse,
  type VoteRequest,
} from '@writ/contracts/writ/approval/v1/approval.js';
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
  required,
  text,
} from '@writ/service';
import { approvalFacts } from './approval.facts.js';
import { type ApprovalStatus, approvalDecider, refuse, statementOf } from './approval.js';
import { type ApprovalRow, ApprovalView } from './approval.view.js';
import { ApprovalSignature } from './approval-signature.flow.js';
import { DecisionApprovals } from './decision-approval.store.js';

const readers = ['role:approver', 'role:admin', 'role:operator', 'role:auditor', 'role:security'] as const;

export const approvalAccess = {
  getApproval: [...readers, 'agent', 'enforcement-point'],
  listApprovals: readers,
  vote: ['role:approver'],
} as const satisfies Access<typeof ApprovalServiceService>;

const stateOf: Readonly<Record<ApprovalStatus, ApprovalState>> = {
  unknown: ApprovalState.APPROVAL_STATE_UNSPECIFIED,
  pending: ApprovalState.APPROVAL_STATE_PENDING,
  granted: ApprovalState.APPROVAL_STATE_GRANTED,
  denied: ApprovalState.APPROVAL_STATE_DENIED,
  expired: ApprovalState.APPROVAL_STATE_EXPIRED,
  withdrawn: ApprovalState.APPROVAL_STATE_WITHDRAWN,
  used: ApprovalState.APPROVAL_STATE_USED,
};

@Injectable()
export class ApprovalRpc implements Calls<typeof ApprovalServiceService> {
  static readonly service = ApprovalServiceService;
  static readonly access = approvalAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly approvals: ApprovalView,
    private readonly links: DecisionApprovals,
    private readonly signatures: ApprovalSignature,
    private readonly pages: Pages,
  ) {}

  async getApproval({ approvalId, decisionId }: GetApprovalRequest, call: Call): Promise<ApprovalMessage> {
    check({
      approvalId: optional(approvalId, id('apr', approvalId)),
      decisionId:
        approvalId === ''
          ? id('dec', decisionId)
          : optional(decisionId, 'must be left out beside `approval_id`'),
    });
    const wanted = approvalId === '' ? await this.links.approvalOf(decisionId) : approvalId;
    const row = wanted === undefined ? undefined : await this.approvals.find(wanted);
    const isOthers = call.caller.kind === 'agent' && row?.request.agentId !== call.caller.id;
    if (row === undefined || isOthers)
      throw refuse('APPROVAL_UNKNOWN', `no approval \`${approvalId || decisionId}\``);
    return approvalMessage(row);
  }

  async listApprovals(request: ListApprovalsRequest, call: Call): Promise<ListApprovalsResponse> {
    const { state, agentId, sessionId } = request;
    check({
      state: state === 0 ? undefined : enumValue(ApprovalState, state),
      agentId: optional(agentId, id('agt', agentId)),
      sessionId: optional(sessionId, id('ses', sessionId)),
    });
    const status = Object.entries(stateOf).find(([, value]) => state !== 0 && value === state)?.[0] ?? '';
    const page = this.pages.open(request, {
      list: 'approvals',
      status,
      agentId,
      sessionId,
      caller: call.actor,
    });
    const rows = await this.approvals.list(page.after, page.size + 1, { status, agentId, sessionId });
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.approvalId);
    return { approvals: shown.map(approvalMessage), nextPageToken };
  }

  async vote(request: VoteRequest, call: Call): Promise<ApprovalMessage> {
    const { approvalId, approve, reason, signature } = request;
    check({
      approvalId: id('apr', approvalId),
      reason: approve
        ? optional(reason, text(reason, { max: 1000, multiline: true }))
        : text(reason, { max: 1000, multiline: true }),
      signature: required(
        signature,
        signature.length > 4096 ? 'must have at most 4096 characters' : undefined,
      ),
    });
    const row = await this.approvals.find(approvalId);
    if (row === undefined) throw refuse('APPROVAL_UNKNOWN', `no approval \`${approvalId}\``);
    const personId = call.caller.id;
    const keyId = await this.signatures.verify(row.request, personId, approve, signature);
    await this.commands.handle({
      decider: approvalDecider,
      facts: approvalFacts,
      streamId: `approval-${approvalId}`,
      kind: 'approval',
      partKey: approvalId,
      command: {
        type: 'Vote',
        approvalId,
        at: call.at,
        ballot: { personId, approve, reason, keyId, signature },
      },
      call,
    });
    const after = await this.approvals.find(approvalId);
    if (after === undefined) throw new Error(`approval \`${approvalId}\` vanished after a vote`);
    return approvalMessage(after);
  }
}

function approvalMessage({ request, status, votes, requestedAt, etag, pos }: ApprovalRow): ApprovalMessage {
  const { approvalId } = request;
  return {
    name: `approvals/${approvalId}`,
    approvalId,
    decisionId: request.decisionId,
    sessionId: request.sessionId,
    agentId: request.agentId,
    personId: request.personId,
    mandateId: request.mandateId,
    action: request.action,
    actionDigest: request.actionDigest,
    purpose: request.purpose,
    task: request.task,
    policySetId: request.policySetId,
    policySetVersion: request.policySetVersion,
    quorum: request.quorum,
    votes: votes.map(({ personId, approve, reason, atMs }) => ({
      personId,
      approve,
      reason,
      voteTime: new Date(atMs),
    })),
    state: stateOf[status],
    requestTime: requestedAt,
    expireTime: request.expireTime,
    etag,
    statement: statementOf(request, true),
    position: { source: 'approvals', pos: BigInt(pos) },
  };
}
