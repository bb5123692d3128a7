import type { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type Cause, type NoAnswerCode, noAnswerCodes } from './no-answer.js';

/**
 * May it? Only `outcome: 'allow'` means yes, and only an answer of the engine that is recorded says it. Everything else,
 * a code that this version does not know included, means no.
 */
export type Decision = Answer | NoAnswer;

/** What the policy engine decided. */
export interface Answer {
  readonly answered: true;
  readonly outcome: 'allow' | 'approval-needed' | 'deny';
  /** The engine's closed code: `PERMITTED`, `MANDATE_AMOUNT`, `LOCKED`. */
  readonly reasonCode: string;
  /** The same for people. */
  readonly reason: string;
  /** Whether the decision was on disk when it was answered; some denies are recorded behind their answer. */
  readonly recorded: boolean;
  readonly requestId: string;
  /** `dec_…` */
  readonly decisionId: string;
  /** What an approval binds: SHA-256 over the action and its session. */
  readonly actionDigest: string;
  /** What people are asked for; there exactly when the outcome is `approval-needed`. */
  readonly approvalDemand?: ApprovalDemand;
  /** Empty when no policy set was active. */
  readonly policySetId: string;
  readonly policySetVersion: number;
  /** The policies that decided. */
  readonly policyIds: readonly string[];
  /** Where the decision is recorded; there exactly when `recorded`. */
  readonly position?: Position;
}

/** A deny because no answer came. It is in no record of the engine, or the client does not know of it. */
export interface NoAnswer {
  readonly answered: false;
  readonly outcome: 'deny';
  readonly reasonCode: NoAnswerCode;
  readonly reason: string;
  readonly recorded: false;
  /** The same question under this id is the same question to the engine for 24 h: limits count it once. */
  readonly requestId: string;
  readonly cause: Cause;
}

export interface ApprovalDemand {
  /** How many different approvers, from 1. */
  readonly quorum: number;
  readonly ttlSeconds: number;
}

/** The number of a fact in the log of a service. */
export interface Position {
  readonly source: string;
  /** From 1. */
  readonly pos: bigint;
}

export const noCause: Cause = { status: '', reason: '', message: '', fields: [], callId: '' };

export function noAnswer(reasonCode: NoAnswerCode, requestId: string, cause: Partial<Cause> = {}): NoAnswer {
  return {
    answered: false,
    outcome: 'deny',
    reasonCode,
    reason: noAnswerCodes[reasonCode],
    recorded: false,
    requestId,
    cause: { ...noCause, ...cause },
  };
}

const outcomes: Readonly<Partial<Record<Outcome, Answer['outcome']>>> = {
  [Outcome.OUTCOME_ALLOW]: 'allow',
  [Outcome.OUTCOME_DENY]: 'deny',
  [Outcome.OUTCOME_APPROVAL_NEEDED]: 'approval-needed',
};

/** Reads an answer by what the contract promises of it; what does not keep the promise is no answer. */
export function decisionOf(response: DecideResponse, requestId: string): Decision {
  const outcome = outcomes[response.outcome];
  if (outcome === undefined)
    return invalid(requestId, `the outcome \`${response.outcome}\` is not known here`);
  if (response.decisionId === '') return invalid(requestId, 'the answer names no decision');
  const { position, approvalDemand } = response;
  const recorded = position !== undefined && position.pos > 0n;
  if (outcome !== 'deny' && !recorded) return invalid(requestId, `an ${outcome} that is not recorded`);
  if (outcome === 'approval-needed' && (approvalDemand === undefined || approvalDemand.quorum < 1))
    return invalid(requestId, 'approval is needed of nobody');
  return {
    answered: true,
    outcome,
    reasonCode: response.reasonCode,
    reason: response.reason,
    recorded,
    requestId,
    decisionId: response.decisionId,
    actionDigest: response.actionDigest,
    policySetId: response.policySetId,
    policySetVersion: response.policySetVersion,
    policyIds: response.policyIds,
    ...(recorded && { position: { source: position.source, pos: position.pos } }),
    ...(outcome === 'approval-needed' && approvalDemand && { approvalDemand: { ...approvalDemand } }),
  };
}

function invalid(requestId: string, message: string): NoAnswer {
  return noAnswer('ANSWER_INVALID', requestId, { message });
}
