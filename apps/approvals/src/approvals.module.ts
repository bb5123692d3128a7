import { Module } from '@nestjs/common';
import type { ServiceDefinition } from '@writ/service';
import { ApprovalExpiry } from './approval/approval.background.js';
import { ApprovalReactions } from './approval/approval.reactions.js';
import { ApprovalRpc } from './approval/approval.rpc.js';
import { ApprovalView } from './approval/approval.view.js';
import { ApprovalSignature } from './approval/approval-signature.flow.js';
import { DecisionApprovals } from './approval/decision-approval.store.js';
import { EndedSessions } from './approval/ended-session.store.js';
import { ApproverReactions } from './approver/approver.reactions.js';

@Module({ providers: [ApprovalSignature, DecisionApprovals, EndedSessions] })
export class ApprovalsModule {}

/** Requests that people decide, and their signed votes. */
export const approvalsService: ServiceDefinition = {
  name: 'approvals',
  module: ApprovalsModule,
  edges: [ApprovalRpc],
  views: [ApprovalView],
  reactions: [ApprovalReactions, ApproverReactions],
  background: [ApprovalExpiry],
};
