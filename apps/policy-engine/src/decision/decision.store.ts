import { Injectable } from '@nestjs/common';
import { consume, type LimitDemand, type Usage } from '@writ/authority';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import {
  type Append,
  Database,
  EventStore,
  encodeFact,
  GroupCommit,
  type Prepared,
  type Statements,
  schemasOf,
} from '@writ/event-store';
import { type Call, refusals } from '@writ/kernel';
import { decisionFacts } from './decision.facts.js';
import { decisionStream, decisionsById, indexBeside, type RecordedDecision } from './decision.view.js';
import type { ReasonCode } from './reasons.js';
import {
  freeApprovals,
  grantRequests,
  holdUsage,
  putUsage,
  questionHash,
  type RequestClaim,
  requestKey,
  useApprovals,
} from './reservation.store.js';

/** A decision that is about to be recorded; what the database has to give may still turn an allow into a deny. */
export interface Draft {
  readonly made: DecisionMade;
  readonly limitDemands: readonly LimitDemand[];
  /** The approval that was presented, needed or not; empty when there was none. */
  readonly approvalId: string;
  readonly call: Call;
}

const refuse = refusals({ REQUEST_ID_REUSED: 'conflict' });

/** What is decided about one draft while a group is prepared. */
interface Settled {
  made: DecisionMade;
  /** Set when the draft repeats an earlier question: that answer counts and nothing is recorded. */
  earlier?: RecordedDecision | Settled;
  refused?: Error;
}

/**
 * Records decisions, many in one transaction, and takes in that transaction what they need: the request id, the approval,
 * a part of each limit. Two replicas share the limits, because the rows are held until the commit; a crash gives back
 * what was not committed.
 */
@Injectable()
export class DecisionRecorder {
  readonly #group: GroupCommit<Draft, Settled>;

  constructor(
    private readonly database: Database,
    store: EventStore,
  ) {
    this.#group = new GroupCommit<Draft, Settled>({
      database,
      store,
      prepare: (tx, drafts) => this.#prepare(tx, drafts),
      beside: (recorded) => indexBeside(recorded.map(({ made }) => made)),
    });
  }

  /**
   * Resolves when the decision is durable, with what was decided in the end: the draft, a deny because a limit or an
   * approval was used up, or the answer to the same question under the same request id.
   *
   * @throws Refusal REQUEST_ID_REUSED, TOO_MANY_WAITING, CLOSING
   */
  async record(draft: Draft): Promise<RecordedDecision> {
    const { outcome, facts } = await this.#group.submit(draft);
    const { made, earlier } = outcome;
    if (earlier === undefined) return { made, pos: facts[0]?.pos ?? 0 };
    if ('pos' in earlier) return earlier;
    // Asked twice in one group: the first has just become durable, with us.
    const [first] = await decisionsById(this.database, [earlier.made.decisionId]);
    if (first === undefined)
      throw new Error(`decision \`${earlier.made.decisionId}\` is not where it was recorded`);
    return first;
  }

  /** Forgets request ids that are older than a day: a repetition after that is a new question. */
  async forget(now: Date): Promise<void> {
    const before = new Date(now.getTime() - requestMsKept);
    await this.database.query(
      `delete from ${schemasOf('policy-engine').views}.decision_request where at < $1`,
      [before],
    );
  }

  onModuleDestroy(): Promise<void> {
    return this.#group.close();
  }

  async #prepare(tx: Statements, drafts: readonly Draft[]): Promise<readonly Prepared<Settled>[]> {
    const settled = drafts.map(({ made }): Settled => ({ made }));
    await settleRequests(tx, drafts, settled);
    await settleUses(tx, drafts, settled);
    return settled.map((one, place): Prepared<Settled> => {
      if (one.refused !== undefined) return { refused: one.refused };
      const call = (drafts[place] as Draft).call;
      return { appends: isFresh(one) ? [appendOf(one.made, call)] : [], outcome: one };
    });
  }
}

const requestMsKept = 24 * 60 * 60 * 1000;

function isFresh({ earlier, refused }: Settled): boolean {
  return earlier === undefined && refused === undefined;
}

function appendOf(made: DecisionMade, call: Call): Append {
  return {
    streamId: decisionStream(made.decisionId),
    kind: 'decision',
    partKey: made.agentId,
    expected: 'none',
    facts: [encodeFact(decisionFacts, { type: 'DecisionMade', data: made })],
    call,
  };
}

/** One claim of a request id in this group, and who repeats it in the same group. */
interface Claimed {
  readonly claim: RequestClaim;
  readonly first: Settled;
  readonly repeats: { readonly own: Settled; readonly claim: RequestClaim }[];
}

async function settleRequests(
  tx: Statements,
  drafts: readonly Draft[],
  settled: readonly Settled[],
): Promise<void> {
  const claims = claimsOf(drafts, settled);
  if (claims.size === 0) return;
  const before = await grantRequests(
    tx,
    [...claims.values()].map(({ claim }) => claim),
  );
  const recorded =
    before.size === 0
      ? []
      : await decisionsById(
          tx,
          [...before.values()].map(({ decisionId }) => decisionId),
        );
  const byId = new Map(recorded.map((decision) => [decision.made.decisionId, decision]));
  for (const [key, { claim, first, repeats }] of claims) {
    const earlier = before.get(key);
    const answer = earlier && byId.get(earlier.decisionId);
    if (earlier !== undefined && answer === undefined)
      throw new Error(`decision \`${earlier.decisionId}\` is gone`);
    if (earlier !== undefined && answer !== undefined) repeat(first, claim, earlier, answer);
    for (const { own, claim: again } of repeats) repeat(own, again, earlier ?? claim, answer ?? first);
  }
}

function claimsOf(drafts: readonly Draft[], settled: readonly Settled[]): Map<string, Claimed> {
  const claims = new Map<string, Claimed>();
  for (const [place, { made, approvalId }] of drafts.entries()) {
    if (made.requestId === '') continue;
    const own = settled[place] as Settled;
    const { sessionId, requestId, decisionId, actionDigest, decideTime: at = new Date(0) } = made;
    const claim = {
      sessionId,
      requestId,
      decisionId,
      questionHash: questionHash(actionDigest, approvalId),
      at,
    };
    const known = claims.get(requestKey(claim));
    if (known === undefined) claims.set(requestKey(claim), { claim, first: own, repeats: [] });
    else known.repeats.push({ own, claim });
  }
  return claims;
}

function repeat(
  own: Settled,
  claim: RequestClaim,
  before: RequestClaim,
  answer: RecordedDecision | Settled,
): void {
  const same = neededNoApproval(answer.made)
    ? own.made.actionDigest === answer.made.actionDigest
    : claim.questionHash === before.questionHash;
  if (!same)
    own.refused = refuse(
      'REQUEST_ID_REUSED',
      `request id \`${claim.requestId}\` came before with another question; use a new one`,
    );
  // An answer of its own that is not remembered: the earlier one keeps the request id.
  else if (asksPeopleNow(own.made, answer.made)) own.made = { ...own.made, requestId: '' };
  else own.earlier = answer;
}

/** Such an allow does not say which approval was presented with it, so it answers the same action with any or none. */
function neededNoApproval({ outcome, approvalId }: DecisionMade): boolean {
  return outcome === Outcome.OUTCOME_ALLOW && approvalId === '';
}

/** Policies that were applied since want people to see what the earlier ones let through, whatever approval is presented. */
function asksPeopleNow(now: DecisionMade, earlier: DecisionMade): boolean {
  const lacksApproval = now.outcome !== Outcome.OUTCOME_ALLOW && now.reasonCode.startsWith('APPROVAL_');
  return neededNoApproval(earlier) && lacksApproval && now.policySetId !== earlier.policySetId;
}

/** Approvals and limits, in the order of the drafts: who came first is served first. */
async function settleUses(
  tx: Statements,
  drafts: readonly Draft[],
  settled: readonly Settled[],
): Promise<void> {
  const allows = drafts.flatMap((draft, place) => {
    const one = settled[place] as Settled;
    return isFresh(one) && one.made.outcome === Outcome.OUTCOME_ALLOW ? [{ draft, one }] : [];
  });
  const wanted = new Map<string, Settled>();
  for (const { one } of allows)
    if (one.made.approvalId !== '' && !wanted.has(one.made.approvalId)) wanted.set(one.made.approvalId, one);
  const free =
    wanted.size === 0
      ? new Set<string>()
      : await useApprovals(
          tx,
          [...wanted.values()].map(({ made }) => made),
        );
  const keys = new Set(allows.flatMap(({ draft }) => draft.limitDemands.map(({ key }) => key)));
  const usage = keys.size === 0 ? new Map<string, Usage>() : await holdUsage(tx, [...keys]);
  const unneeded: string[] = [];
  for (const { draft, one } of allows) {
    const { approvalId } = one.made;
    if (approvalId !== '' && !(free.has(approvalId) && wanted.get(approvalId) === one)) {
      const message = `approval \`${approvalId}\` was used already; ask for another`;
      one.made = denied(draft, 'APPROVAL_USED', message);
      continue;
    }
    const overuse = consumeAll(draft.limitDemands, usage);
    if (overuse === undefined) continue;
    one.made = denied(draft, overuse.reason, overuse.message);
    if (approvalId !== '') unneeded.push(approvalId);
  }
  if (unneeded.length > 0) await freeApprovals(tx, unneeded);
  if (keys.size > 0) await putUsage(tx, usage);
}

/** All demands of one decision or none. */
function consumeAll(demands: readonly LimitDemand[], usage: Map<string, Usage>) {
  const after: [string, Usage][] = [];
  for (const demand of demands) {
    const used = usage.get(demand.key);
    if (used === undefined) throw new Error(`limit \`${demand.key}\` is not held`);
    const outcome = consume(demand.limits, used, demand);
    if ('overuse' in outcome) {
      const reason: ReasonCode =
        outcome.overuse.reason === 'CALLS_TOTAL' ? 'LIMIT_CALLS_TOTAL' : 'LIMIT_AMOUNT_TOTAL';
      return { reason, message: `limit of \`${demand.key}\`: ${outcome.overuse.message}` };
    }
    after.push([demand.key, outcome.usage]);
  }
  for (const [key, used] of after) usage.set(key, used);
  return undefined;
}

function denied({ made, approvalId }: Draft, reasonCode: ReasonCode, reason: string): DecisionMade {
  return { ...made, outcome: Outcome.OUTCOME_DENY, reasonCode, reason, approvalId, limitUses: [] };
}
