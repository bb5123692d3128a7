import { type Action, type Chain, evaluateChain, type LockTable } from '@writ/authority';
import type { Known, KnownAgent, KnownApproval, KnownSession } from './knowledge.js';
import { type ApprovalDemand, type Policies, type PolicyAnswer, policyRequest } from './policy-request.js';
import type { ReasonCode } from './reasons.js';
import { stopVerdict } from './stop.js';
import { isAbove, sensitivities, sensitivityOf, trustBreach } from './trust-ceiling.js';
import { allowed, deny, type Verdict } from './verdict.js';

/** May this agent do this, now? The token was verified before: signature, audience, expiry, binding. */
export interface Question {
  readonly at: Date;
  readonly sessionId: string;
  readonly agentId: string;
  readonly personId: string;
  readonly mandateId: string;
  readonly delegationIds: readonly string[];
  readonly action: Action;
  /** Of this action in this session: what an approval binds. */
  readonly actionDigest: string;
  /** Empty when none is presented. */
  readonly approvalId: string;
}

/** What the engine holds in memory at the moment of the question. */
export interface Holdings {
  readonly known: Known;
  /** Why facts may be too old to decide from; undefined when they are fresh. */
  readonly factsStaleBecause: string | undefined;
  /** Undefined unless the lock feed is live. */
  readonly locks: LockTable | undefined;
  /** Undefined when no policy set was ever applied. */
  readonly policies: Policies | undefined;
}

/** What the first steps found and the later ones need. */
interface Found {
  readonly session: KnownSession;
  readonly chain: Chain;
  /** From the one under the mandate to the one that acts. */
  readonly agents: readonly KnownAgent[];
  readonly trustScore: number;
}

/**
 * Pure and total. In this order: facts fresh → locks on anyone in the chain → session, agents, person → delegation chain
 * and mandate → trust ceiling → policies (forbid wins, an error is a deny) → approval. The first no ends it. Limits come
 * last and elsewhere: they are consumed in the transaction that records the decision.
 */
export function decide(question: Question, holdings: Holdings): Verdict {
  const { factsStaleBecause, locks, policies, known } = holdings;
  if (factsStaleBecause !== undefined) return deny('FACTS_STALE', factsStaleBecause);
  if (locks === undefined)
    return deny('LOCKS_STALE', 'stop orders may be missing here: the watch feed is not live');
  const found = findChain(question, known);
  if ('outcome' in found) return found;
  const parties = { ...found, action: question.action, sessionOpenedAt: found.session.openedAt };
  const stopped = stopVerdict(parties, locks, question.at) ?? partyVerdict(found, known, question.at);
  if (stopped !== undefined) return { ...stopped, trustScore: found.trustScore };
  const reach = evaluateChain({ ...found.chain, action: question.action, at: question.at });
  if (!reach.allowed) return { ...deny(reach.reason, reach.message), trustScore: found.trustScore };
  const verdict = ceilingVerdict(question.action, found) ?? policyVerdict(question, found, known, policies);
  const limitDemands = verdict.outcome === 'allow' ? reach.limitDemands : [];
  return { ...verdict, trustScore: found.trustScore, limitDemands };
}

/** The records that the token speaks of. They, not the token, are what is decided from. */
function findChain(question: Question, known: Known): Found | Verdict {
  const { sessionId, agentId, mandateId, delegationIds } = question;
  const keys = [agentId, question.personId, mandateId, sessionId, ...delegationIds, question.approvalId];
  const unreadable = keys.find((key) => known.isUnreadable(key));
  if (unreadable !== undefined) return deny('FACTS_STALE', `facts about \`${unreadable}\` could not be read`);
  const session = known.session(sessionId);
  if (session === undefined) return deny('SESSION_UNKNOWN', `no open session \`${sessionId}\` is known here`);
  const agrees =
    session.agentId === agentId &&
    session.personId === question.personId &&
    session.mandateId === mandateId &&
    session.delegationIds.length === delegationIds.length &&
    session.delegationIds.every((id, index) => id === delegationIds[index]);
  if (!agrees)
    return deny('SESSION_MISMATCH', `the token does not say what session \`${sessionId}\` was opened for`);
  const mandate = known.hop(mandateId);
  const delegations = delegationIds.map((id) => known.hop(id));
  const missing = [mandateId, ...delegationIds].find((id) => known.hop(id) === undefined);
  if (mandate === undefined || missing !== undefined)
    return deny('CHAIN_UNKNOWN', `\`${missing}\` of the chain is not known here`);
  const hops = delegations.flatMap((hop) => hop ?? []);
  const chain = { mandate, delegations: hops, session };
  const agentIds = [...new Set([mandate, ...hops].map(({ holderId }) => holderId).concat(agentId))];
  const agents = agentIds.flatMap((id) => known.agent(id) ?? []);
  const stranger = agentIds.find((id) => known.agent(id) === undefined);
  if (stranger !== undefined) return deny('AGENT_UNKNOWN', `no agent \`${stranger}\` is known here`);
  const behind = agentIds.find((id) => known.isUnreadable(id));
  if (behind !== undefined) return deny('FACTS_STALE', `facts about \`${behind}\` could not be read`);
  return { session, chain, agents, trustScore: Math.min(...agents.map(({ trustScore }) => trustScore)) };
}

function partyVerdict({ session, agents }: Found, known: Known, at: Date): Verdict | undefined {
  if (session.ended) return deny('SESSION_ENDED', `session \`${session.id}\` has ended; open a new one`);
  if (!(at.getTime() < session.expiresAt.getTime()))
    return deny(
      'SESSION_EXPIRED',
      `session \`${session.id}\` expired at ${isoTime(session.expiresAt)}; open a new one`,
    );
  for (const agent of agents) {
    const verdict = agentVerdict(agent);
    if (verdict !== undefined) return verdict;
  }
  const present = known.isPresent(session.personId);
  if (present === undefined) return deny('PERSON_UNKNOWN', `no person \`${session.personId}\` is known here`);
  return present ? undefined : deny('PERSON_LEFT', `\`${session.personId}\`, who granted this, has left`);
}

/** Only an active agent acts. The gravest state is named, as the registry does. */
function agentVerdict({ id, retired, orphaned, suspended, attested }: KnownAgent): Verdict | undefined {
  if (retired) return deny('AGENT_RETIRED', `agent \`${id}\` is retired for good`);
  if (orphaned)
    return deny('AGENT_ORPHANED', `agent \`${id}\` has no sponsor; it needs a new one who attests it`);
  if (suspended) return deny('AGENT_SUSPENDED', `agent \`${id}\` is suspended`);
  return attested
    ? undefined
    : deny('AGENT_NOT_ATTESTED', `agent \`${id}\` awaits the attestation of its sponsor`);
}

/** `Environment` and `Sensitivity` of the registry start at 1 with the most harmless. */
const production = 3;

function ceilingVerdict(action: Action, { agents, trustScore }: Found): Verdict | undefined {
  const touched = sensitivityOf(action);
  for (const { id, sensitivity } of agents) {
    const most = sensitivities[sensitivity - 1] ?? 'public';
    if (touched !== undefined && isAbove(touched, most))
      return deny(
        'AGENT_SENSITIVITY',
        `agent \`${id}\` may touch \`${most}\` data at most, not \`${touched}\``,
      );
  }
  const inProduction = agents.some(({ environment }) => environment === production);
  const breach = trustBreach({ score: trustScore, inProduction, action });
  return breach && deny(breach.reason, breach.message);
}

function policyVerdict(
  question: Question,
  found: Found,
  known: Known,
  policies: Policies | undefined,
): Verdict {
  if (policies === undefined)
    return deny('POLICY_NONE', 'no policy set is applied; nothing is permitted without one');
  const { session, agents, trustScore: trust } = found;
  const agent = known.agent(session.agentId);
  if (agent === undefined) throw new Error(`agent \`${session.agentId}\` was found before`);
  const agentIds = agents.map(({ id }) => id);
  const request = policyRequest({
    action: question.action,
    agent,
    session,
    agentIds,
    trust,
    at: question.at,
  });
  if (!policies.hasAction(request.actionName))
    return deny('POLICY_ACTION_UNKNOWN', `the policy schema knows no action \`${request.actionName}\``);
  const answer = policies.answer(request);
  const no = policyDeny(answer);
  if (no !== undefined) return { ...no, policyIds: answer.policyIds };
  return { ...approvalVerdict(question, known, policies, answer), policyIds: answer.policyIds };
}

function policyDeny({ decision, policyIds, errors }: PolicyAnswer): Verdict | undefined {
  const [error] = errors;
  if (error !== undefined) return deny('POLICY_ERROR', `a policy could not be evaluated: ${error}`);
  if (decision === 'allow') return undefined;
  if (policyIds.length === 0) return deny('POLICY_NO_PERMIT', 'no policy permits this');
  return deny('POLICY_FORBIDDEN', `forbidden by ${policyIds.map((id) => `\`${id}\``).join(', ')}`);
}

function approvalVerdict(
  question: Question,
  known: Known,
  policies: Policies,
  answer: PolicyAnswer,
): Verdict {
  const { approvalId } = question;
  const by = answer.policyIds.map((id) => `\`${id}\``).join(', ');
  const demand = answer.approvalDemand;
  if (demand === undefined) return { ...allowed, reasonCode: 'PERMITTED', reason: `permitted by ${by}` };
  if (approvalId === '') {
    const people = demand.quorum === 1 ? 'a person' : `${demand.quorum} people`;
    const reason = `${by} asks that ${people} approve exactly this action first`;
    return {
      ...allowed,
      outcome: 'approval-needed',
      reasonCode: 'APPROVAL_REQUIRED',
      reason,
      approvalDemand: demand,
    };
  }
  const approval = known.approval(approvalId);
  const lack = approvalLack(question, approval, policies, demand);
  if (lack !== undefined) return lack;
  const reason = `permitted by ${by}, approved by \`${approvalId}\``;
  return { ...allowed, reasonCode: 'APPROVED', reason, approvalUsed: approvalId };
}

function approvalLack(
  { approvalId, actionDigest, sessionId, at }: Question,
  approval: KnownApproval | undefined,
  { policySetId }: Policies,
  { quorum }: ApprovalDemand,
): Verdict | undefined {
  const no = (code: ReasonCode, what: string) => deny(code, `approval \`${approvalId}\` ${what}`);
  if (approval === undefined) return no('APPROVAL_UNKNOWN', 'is not granted; wait for it or ask for another');
  if (approval.used) return no('APPROVAL_USED', 'was used already; ask for another');
  if (approval.sessionId !== sessionId) return no('APPROVAL_OTHER_SESSION', 'was given to another session');
  if (approval.actionDigest !== actionDigest)
    return no('APPROVAL_OTHER_ACTION', 'was given for another action; nothing of it may be changed');
  if (approval.policySetId !== policySetId)
    return no('APPROVAL_OTHER_POLICY_SET', 'was given under other policies; ask for another');
  if (!(at.getTime() < approval.expiresAt.getTime()))
    return no('APPROVAL_EXPIRED', `expired at ${isoTime(approval.expiresAt)}; ask for another`);
  if (new Set(approval.approverIds).size < quorum)
    return no('APPROVAL_QUORUM', `has ${approval.approverIds.length} of ${quorum} approvers`);
  return undefined;
}

function isoTime(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'an unknown time' : time.toISOString();
}
