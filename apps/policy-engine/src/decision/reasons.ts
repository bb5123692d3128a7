import type { ChainReason } from '@writ/authority';

/**
 * Why a decision came out as it did. Closed: callers may act on a code, people read the sentence beside it. The codes
 * of chain and mandate (`MANDATE_AMOUNT`, `DELEGATION_REVOKED`) are those of `@writ/authority`.
 */
export type ReasonCode =
  | AllowCode
  | ApprovalCode
  | StopCode
  | BoundCode
  | PolicyCode
  | LimitCode
  | RepeatCode;

export type AllowCode = 'PERMITTED' | 'APPROVED';

/** What an approval lacks, or that there is none yet (`APPROVAL_REQUIRED`, the one that is no deny). */
export type ApprovalCode =
  | 'APPROVAL_REQUIRED'
  | 'APPROVAL_UNKNOWN'
  | 'APPROVAL_EXPIRED'
  | 'APPROVAL_USED'
  | 'APPROVAL_OTHER_ACTION'
  | 'APPROVAL_OTHER_SESSION'
  | 'APPROVAL_OTHER_POLICY_SET'
  | 'APPROVAL_QUORUM';

/** Nobody in this chain may act now, whatever the action is. */
export type StopCode =
  | 'FACTS_STALE'
  | 'LOCKS_STALE'
  | 'LOCKED'
  | 'SESSION_UNKNOWN'
  | 'SESSION_MISMATCH'
  | 'AGENT_UNKNOWN'
  | 'AGENT_NOT_ATTESTED'
  | 'AGENT_SUSPENDED'
  | 'AGENT_ORPHANED'
  | 'AGENT_RETIRED'
  | 'PERSON_UNKNOWN'
  | 'PERSON_LEFT'
  | 'CHAIN_UNKNOWN';

/** Outside what was granted, or above what this trust score may do. */
export type BoundCode =
  | ChainReason
  | 'AGENT_SENSITIVITY'
  | 'TRUST_PRODUCTION'
  | 'TRUST_AMOUNT'
  | 'TRUST_SENSITIVITY';

export type PolicyCode =
  | 'POLICY_NONE'
  | 'POLICY_ERROR'
  | 'POLICY_FORBIDDEN'
  | 'POLICY_NO_PERMIT'
  | 'POLICY_ACTION_UNKNOWN';

/** A limit had not enough left when the decision was recorded. */
export type LimitCode = 'LIMIT_AMOUNT_TOTAL' | 'LIMIT_CALLS_TOTAL';

/** Of one question in a batch: its request id came before with another one. A question that comes alone is refused. */
export type RepeatCode = 'REQUEST_ID_REUSED';

const stops: ReadonlySet<string> = new Set<StopCode | BoundCode | PolicyCode>([
  'FACTS_STALE',
  'LOCKS_STALE',
  'LOCKED',
  'SESSION_UNKNOWN',
  'SESSION_MISMATCH',
  'SESSION_ENDED',
  'SESSION_EXPIRED',
  'AGENT_UNKNOWN',
  'AGENT_NOT_ATTESTED',
  'AGENT_SUSPENDED',
  'AGENT_ORPHANED',
  'AGENT_RETIRED',
  'PERSON_UNKNOWN',
  'PERSON_LEFT',
  'CHAIN_UNKNOWN',
  'MANDATE_REVOKED',
  'MANDATE_EXPIRED',
  'DELEGATION_REVOKED',
  'DELEGATION_EXPIRED',
  'AGENT_SENSITIVITY',
  'TRUST_PRODUCTION',
  'TRUST_AMOUNT',
  'TRUST_SENSITIVITY',
  'POLICY_NONE',
  'POLICY_ERROR',
  'POLICY_FORBIDDEN',
  'POLICY_NO_PERMIT',
  'POLICY_ACTION_UNKNOWN',
]);

/**
 * Whether a deny for this reason also stops the repetition of an earlier answer: what has changed since then is stronger
 * than a retry. What the first answer itself used up, its approval and its part of the limits, stops no retry of it.
 */
export function isStop(code: ReasonCode): boolean {
  return stops.has(code);
}
