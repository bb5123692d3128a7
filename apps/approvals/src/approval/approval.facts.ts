import {
  ApprovalDenied,
  ApprovalExpired,
  ApprovalGranted,
  ApprovalRequested,
  ApprovalUsed,
  ApprovalVoted,
  ApprovalWithdrawn,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import type { Facts } from '@writ/event-store';
import type { ApprovalEvent } from './approval.js';

export const approvalFacts: Facts<ApprovalEvent> = {
  ApprovalRequested,
  ApprovalVoted,
  ApprovalGranted,
  ApprovalDenied,
  ApprovalExpired,
  ApprovalWithdrawn,
  ApprovalUsed,
};
