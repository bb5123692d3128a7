import { Injectable } from '@nestjs/common';
import { type AccessTokenClaims, type Action, actionJson, actionToMessage } from '@writ/authority';
import { type DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { isEnvironmentFailure } from '@writ/event-bus';
import { type Call, canonicalJson, Refusal, refusals } from '@writ/kernel';
import { sha256Base64Url } from '@writ/service';
import { ActivePolicies } from '../policy-set/active-policies.store.js';
import { PolicyTelemetry } from '../telemetry.js';
import { decide, type Question } from './decision.js';
import { DecisionRecorder, type Draft } from './decision.store.js';
import type { RecordedDecision } from './decision.view.js';
import { type FactPosition, KnowledgeFeed } from './knowledge.background.js';
import { Locks } from './locks.background.js';
import { isStop } from './reasons.js';
import { limitUseOf } from './reservation.store.js';
import { deny, type Verdict } from './verdict.js';

/** A request that was checked: its token is genuine, its action well formed. */
export interface Asked {
  readonly claims: AccessTokenClaims;
  readonly action: Action;
  /** Empty when none is presented. */
  readonly approvalId: string;
  readonly atLeast: readonly FactPosition[];
  /** Empty when the answer is not to be remembered. */
  readonly requestId: string;
}

const refuse = refusals({ RECORD_UNAVAILABLE: 'unavailable' });

/** How long a question may wait for facts that it names. */
const factsMsMax = 500;

/** From a question to its answer: waits for what must be known, decides from memory, records. */
@Injectable()
export class Decisions {
  constructor(
    private readonly knowledge: KnowledgeFeed,
    private readonly locks: Locks,
    private readonly policies: ActivePolicies,
    private readonly recorder: DecisionRecorder,
    private readonly telemetry: PolicyTelemetry,
  ) {}

  /**
   * Allow and approval-needed are durable when this resolves. A deny is answered at once, without a position, unless its
   * request id makes it an answer to remember; it is recorded all the same.
   *
   * @throws Refusal REQUEST_ID_REUSED, TOO_MANY_WAITING, CLOSING, RECORD_UNAVAILABLE
   */
  async decide(asked: Asked, call: Call): Promise<{ made: DecisionMade; pos: number | undefined }> {
    const question = questionOf(asked, call);
    const verdict = (await this.staleVerdict(asked)) ?? this.wouldDecide(question);
    return this.#settle(asked, question, verdict, call);
  }

  /**
   * One question among others: a request id that came before with another question is a deny of this one, so that the
   * answers to the others, which are recorded, reach the caller.
   *
   * @throws Refusal TOO_MANY_WAITING, CLOSING, RECORD_UNAVAILABLE
   */
  async decideAmong(asked: Asked, call: Call): Promise<{ made: DecisionMade; pos: number | undefined }> {
    try {
      return await this.decide(asked, call);
    } catch (cause) {
      if (!(cause instanceof Refusal) || cause.code !== 'REQUEST_ID_REUSED') throw cause;
      const unremembered = { ...asked, requestId: '' };
      const reused = deny('REQUEST_ID_REUSED', cause.message);
      return this.#settle(unremembered, questionOf(asked, call), reused, call);
    }
  }

  /**
   * What would be decided now, from memory. Nothing is recorded, and nothing is used up: what limits have left is not
   * looked at.
   */
  wouldDecide(question: Question): Verdict {
    return decide(question, {
      known: this.knowledge.known,
      factsStaleBecause: this.knowledge.staleBecause(),
      locks: this.locks.current(),
      policies: this.policies.current(),
    });
  }

  /** Why facts or stop orders that this question must know are not known here; undefined when they are. */
  async staleVerdict({ claims, atLeast }: Pick<Asked, 'claims' | 'atLeast'>): Promise<Verdict | undefined> {
    const { min_seq: lockSeq } = claims;
    if (atLeast.length > 0 && !(await this.knowledge.reached(atLeast, factsMsMax))) {
      const missing = atLeast.map(({ source, pos }) => `\`${source}/${pos}\``).join(', ');
      return deny('FACTS_STALE', `not all of ${missing} are known here after ${factsMsMax} ms`);
    }
    if (lockSeq !== undefined && !(await this.locks.reached(BigInt(lockSeq))))
      return deny('LOCKS_STALE', `stop orders up to ${lockSeq} are not known here yet`);
    return undefined;
  }

  async #settle(asked: Asked, question: Question, verdict: Verdict, call: Call) {
    const answer = await this.#answer(this.#draft(asked, question, verdict, call), verdict);
    this.telemetry.decided(Outcome[answer.made.outcome] ?? '', answer.made.reasonCode);
    return answer;
  }

  async #answer(
    draft: Draft,
    verdict: Verdict,
  ): Promise<RecordedDecision | { made: DecisionMade; pos: undefined }> {
    // Allow waits for the disk, deny does not: a lost deny harms nobody, a lost allow is an access without a record.
    if (verdict.outcome !== 'deny' || draft.made.requestId !== '') return this.#recorded(draft);
    this.recorder
      .record(draft)
      .catch((cause: unknown) => this.telemetry.notRecorded(draft.made.decisionId, cause));
    return { made: draft.made, pos: undefined };
  }

  async #recorded(draft: Draft): Promise<RecordedDecision> {
    try {
      return await this.recorder.record(draft);
    } catch (cause) {
      if (cause instanceof Refusal || !isEnvironmentFailure(cause)) throw cause;
      this.telemetry.notRecorded(draft.made.decisionId, cause);
      throw refuse(
        'RECORD_UNAVAILABLE',
        'the decision could not be recorded, so nothing is allowed; ask again',
      );
    }
  }

  #draft({ claims, approvalId, requestId }: Asked, question: Question, verdict: Verdict, call: Call): Draft {
    const { known } = this.knowledge;
    const session = known.session(claims.sid);
    const policies = this.policies.current();
    const made: DecisionMade = {
      decisionId: call.newId('dec'),
      outcome: outcomes[verdict.outcome],
      reasonCode: verdict.reasonCode,
      reason: verdict.reason,
      sessionId: question.sessionId,
      agentId: question.agentId,
      personId: question.personId,
      mandateId: question.mandateId,
      delegationIds: [...question.delegationIds],
      task: session?.task ?? '',
      purpose: session?.purpose ?? '',
      action: actionToMessage(question.action),
      actionDigest: question.actionDigest,
      policySetId: policies?.policySetId ?? '',
      policySetVersion: policies?.version ?? 0,
      policyIds: [...verdict.policyIds],
      trustScore: verdict.trustScore,
      // An allow names the approval that it uses up, a deny the one that was not enough.
      approvalId: verdict.outcome === 'allow' ? verdict.approvalUsed : approvalId,
      approvalDemand: verdict.approvalDemand,
      limitUses: verdict.limitDemands.map(limitUseOf),
      factsKnown: this.knowledge.positions().map(({ source, pos }) => ({ source, pos: BigInt(pos) })),
      lockSeq: this.locks.seq,
      // A stop is answered whatever was answered before, and not remembered in its place.
      requestId: verdict.outcome === 'deny' && isStop(verdict.reasonCode) ? '' : requestId,
      tokenId: claims.jti,
      sponsorId: known.agent(question.agentId)?.sponsorId ?? '',
      decideTime: question.at,
    };
    return { made, limitDemands: verdict.limitDemands, approvalId, call };
  }
}

const outcomes = {
  allow: Outcome.OUTCOME_ALLOW,
  deny: Outcome.OUTCOME_DENY,
  'approval-needed': Outcome.OUTCOME_APPROVAL_NEEDED,
} as const;

/** What a token says of its session. */
export type SessionClaims = Pick<
  AccessTokenClaims,
  'sid' | 'client_id' | 'sub' | 'mandate_id' | 'delegation_ids'
>;

export function questionOf(
  o: { readonly claims: SessionClaims } & Pick<Asked, 'action' | 'approvalId'>,
  call: Call,
): Question {
  const { claims, action, approvalId } = o;
  return {
    at: call.at,
    sessionId: claims.sid,
    agentId: claims.client_id,
    personId: claims.sub,
    mandateId: claims.mandate_id,
    delegationIds: claims.delegation_ids,
    action,
    actionDigest: actionDigest(action, claims.sid),
    approvalId,
  };
}

/**
 * What an approval binds: `sha-256:` and the base64url SHA-256 of the canonical JSON (RFC 8785) of
 * `{"action":<actionJson>,"session_id":"ses_…"}`. The session stands for mandate, chain, person and purpose, which it was
 * opened for and never changes. Policies are left out: the approval names their set beside the digest.
 */
export function actionDigest(action: Action, sessionId: string): string {
  return `sha-256:${sha256Base64Url(canonicalJson({ action: actionJson(action), session_id: sessionId }))}`;
}
