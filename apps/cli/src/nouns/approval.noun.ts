import {
  Approval,
  ApprovalServiceService,
  ListApprovalsRequest,
  ListApprovalsResponse,
  VoteRequest,
} from '@writ/contracts/writ/approval/v1/approval.js';
import { approvalCode, getApproval, vote, waitForPeople } from '../approve.js';
import { textAt } from '../json.js';
import { flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { noteFacts } from '../session-file.js';
import { actionText, column, listOf, shape, wide } from '../shape.js';
import type { Argument, Noun } from '../verb.js';

const approval = shape([
  column('id', 'approvalId'),
  column('state', 'state'),
  column('agent', 'agentId'),
  column('action', actionText),
  column(
    'votes',
    (row) => `${Array.isArray(row.votes) ? row.votes.length : 0} of ${textAt(row, 'quorum') || '1'}`,
  ),
  column('expires', 'expireTime'),
  wide('purpose', 'purpose'),
  wide('task', 'task'),
  wide('person', 'personId'),
  wide('decision', 'decisionId'),
  wide('session', 'sessionId'),
  wide('action digest', 'actionDigest'),
  wide('requested', 'requestTime'),
]);

/** An approval, or the decision that asked for it. */
const either: Argument = {
  name: 'APPROVAL|DECISION',
  doc: 'the approval, or the decision that asked for it',
  read(text): { approvalId: string } | { decisionId: string } {
    const id = text.slice(text.lastIndexOf('/') + 1);
    return id.startsWith('dec_') ? { decisionId: id } : { approvalId: id };
  },
};
const fills = { signature: '<compact JWS (ES256) of the statement of the approval>' };
const yes = { flag: 'yes', doc: 'do not ask' };

export const approvalNoun: Noun = {
  name: 'approval',
  doc: "a person's signed word on one exact action, usable once",
  verbs: [
    {
      name: 'list',
      doc: 'list approvals',
      rpc: unary(
        'approvals',
        ApprovalServiceService.listApprovals,
        ListApprovalsRequest,
        ListApprovalsResponse,
      ),
      shape: listOf('approvals', approval),
      pages: 'approvals',
      options: [
        flag('state', 'only those in this state'),
        flag('agent', 'only those of this agent', { field: 'agent_id' }),
        flag('session', 'only those in this session', { field: 'session_id' }),
      ],
    },
    {
      name: 'get',
      doc: 'show one approval',
      args: [either],
      rpc: getApproval,
      shape: approval,
      before: async (work) => (answer) => noteFacts(work, answer),
    },
    {
      name: 'approve',
      doc: 'look at the exact action and sign that it may be done, once',
      args: [idArgument('approval')],
      rpc: unary('approvals', ApprovalServiceService.vote, VoteRequest, Approval),
      shape: approval,
      options: [flag('reason', 'why, for whoever reads the ledger')],
      extras: [yes],
      fills: { ...fills, approve: true },
      before: (work) => vote(work, true),
    },
    {
      name: 'deny',
      doc: 'look at the exact action and sign that it may not be done',
      args: [idArgument('approval')],
      rpc: unary('approvals', ApprovalServiceService.vote, VoteRequest, Approval),
      shape: approval,
      options: [flag('reason', 'why, for the agent and for whoever reads the ledger', { required: true })],
      extras: [yes],
      fills,
      before: (work) => vote(work, false),
    },
    {
      name: 'wait',
      doc: 'wait until people have decided, --timeout at most (10m): 0 granted, 2 not granted, 4 still pending',
      args: [either],
      rpc: getApproval,
      shape: approval,
      send: waitForPeople,
      before: async (work) => (answer) => noteFacts(work, answer),
      verdict: approvalCode,
      hint: (answer) =>
        answer.state === 'APPROVAL_STATE_GRANTED'
          ? `next: writ decide with the same action and --approval ${textAt(answer, 'approvalId')}`
          : '',
    },
  ],
};
