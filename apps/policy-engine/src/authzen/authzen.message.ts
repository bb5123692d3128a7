import { type DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { Refusal } from '@writ/kernel';
import { httpStatusOf } from '@writ/service';
import { reasonForUser } from './authzen.js';

/** One answer of the Authorization API. Only `decision` is the standard's; `docs/api.md` says what stands in `context`. */
export interface EvaluationJson {
  readonly decision: boolean;
  readonly context: object;
}

export function evaluationJson({
  made,
  pos,
}: {
  made: DecisionMade;
  pos: number | undefined;
}): EvaluationJson {
  const decision = made.outcome === Outcome.OUTCOME_ALLOW;
  return {
    decision,
    context: {
      decision_id: made.decisionId,
      reason: made.reasonCode,
      reason_admin: { en: made.reason },
      ...(!decision && { reason_user: { en: reasonForUser(made.reasonCode) } }),
      policy_set_id: made.policySetId,
      policy_set_version: made.policySetVersion,
      policy_ids: made.policyIds,
      action_digest: made.actionDigest,
      ...(pos !== undefined && { position: { source: 'policy-engine', pos: String(pos) } }),
      ...accessRequest(made),
    },
  };
}

/**
 * What the draft of the access request profile has for a denial that a person can lift. Nothing is to be posted: the
 * decision itself has asked, and the same question with the approval is the second half.
 */
function accessRequest({ outcome, approvalDemand: demand, decisionId, decideTime }: DecisionMade): object {
  if (outcome !== Outcome.OUTCOME_APPROVAL_NEEDED || demand === undefined || decideTime === undefined)
    return {};
  const { quorum, ttlSeconds } = demand;
  const expiresAt = new Date(decideTime.getTime() + ttlSeconds * 1000);
  const people = quorum === 1 ? 'A person has been asked' : `${quorum} people have been asked`;
  return {
    evaluation_id: decisionId,
    evaluated_at: decideTime.toISOString(),
    approval_demand: { quorum, ttl_seconds: ttlSeconds },
    access_request: {
      expires_at: expiresAt.toISOString(),
      display: {
        title: 'Approval needed',
        description: `${people} to approve exactly this. Evaluate it again with \`context.approval_id\` once they have.`,
      },
    },
  };
}

/** An evaluation of a batch that could not be made: a deny, with what is wrong with it and nothing of the others. */
export function errorJson(refusal: Refusal): EvaluationJson {
  const error = { status: httpStatusOf(refusal), message: refusal.message };
  const errors = refusal.fields.length === 0 ? {} : { errors: refusal.fields };
  return { decision: false, context: { reason: refusal.code, error, ...errors } };
}
