import type { LimitDemand } from '@writ/authority';
import type { ApprovalDemand } from './policy-request.js';
import type { ReasonCode } from './reasons.js';

export interface Verdict {
  readonly outcome: 'allow' | 'deny' | 'approval-needed';
  readonly reasonCode: ReasonCode;
  /** The same for people: lower case, no final stop, says what would be right. */
  readonly reason: string;
  readonly policyIds: readonly string[];
  /** The weakest of the chain; 0 where it was not looked at. */
  readonly trustScore: number;
  readonly approvalDemand?: ApprovalDemand;
  /** Of an allow: what each limit of the chain must still give. Consumed when the decision is recorded, together or not at all. */
  readonly limitDemands: readonly LimitDemand[];
  /** Of an allow: the approval that it uses up; empty when it needed none. */
  readonly approvalUsed: string;
}

/** An allow of which nothing more is known yet. */
export const allowed: Verdict = {
  outcome: 'allow',
  reasonCode: 'PERMITTED',
  reason: '',
  policyIds: [],
  trustScore: 0,
  limitDemands: [],
  approvalUsed: '',
};

export function deny(reasonCode: ReasonCode, reason: string): Verdict {
  return { ...allowed, outcome: 'deny', reasonCode, reason };
}
