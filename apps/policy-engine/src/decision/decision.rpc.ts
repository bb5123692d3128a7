import { Injectable } from '@nestjs/common';
import { actionFromMessage } from '@writ/authority';
import {
  type DecideBatchRequest,
  type DecideBatchResponse,
  type DecideRequest,
  type DecideResponse,
  type Decision,
  DecisionServiceService,
  type GetDecisionRequest,
  type ListDecisionsRequest,
  type ListDecisionsResponse,
} from '@writ/contracts/writ/policy/v1/decision.js';
import { type DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type Call, refusals } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  enumValue,
  id,
  list,
  optional,
  Pages,
  RoleDirectory,
  required,
} from '@writ/service';
import { type Asked, Decisions } from './decision.flow.js';
import { DecisionView, type RecordedDecision } from './decision.view.js';
import { PresentedTokens } from './presented-token.store.js';
import { askers, questionProblems } from './question.message.js';

/** These read every decision; agents read their own, and people what they sponsor or have granted. */
const readers = ['admin', 'operator', 'auditor', 'security'] as const;

export const decisionAccess = {
  decide: askers,
  decideBatch: askers,
  getDecision: [
    'agent',
    'role:admin',
    'role:operator',
    'role:auditor',
    'role:security',
    'role:sponsor',
    'role:approver',
    'service:vault',
    'service:approvals',
  ],
  listDecisions: ['agent', 'role:admin', 'role:operator', 'role:auditor', 'role:security'],
} as const satisfies Access<typeof DecisionServiceService>;

const refuse = refusals({ DECISION_UNKNOWN: 'not-found' });

const batchMax = 100;

@Injectable()
export class DecisionRpc implements Calls<typeof DecisionServiceService> {
  static readonly service = DecisionServiceService;
  static readonly access = decisionAccess;

  constructor(
    private readonly decisions: Decisions,
    private readonly tokens: PresentedTokens,
    private readonly view: DecisionView,
    private readonly roles: RoleDirectory,
    private readonly pages: Pages,
  ) {}

  async decide(request: DecideRequest, call: Call): Promise<DecideResponse> {
    check(questionProblems(request, call, ''));
    return answerMessage(await this.decisions.decide(await this.#read(request, call, 'action'), call));
  }

  async decideBatch({ requests }: DecideBatchRequest, call: Call): Promise<DecideBatchResponse> {
    check({ requests: list(requests, { min: 1, max: batchMax }) });
    check(
      Object.assign(
        {},
        ...requests.map((request, place) => questionProblems(request, call, `requests[${place}].`)),
      ),
    );
    // All of them are read before the first is decided: one bad token decides nothing.
    const asked: Asked[] = [];
    for (const [place, request] of requests.entries())
      asked.push(await this.#read(request, call, `requests[${place}].action`));
    const answers = await Promise.all(asked.map((one) => this.decisions.decideAmong(one, call)));
    return { responses: answers.map(answerMessage) };
  }

  async getDecision({ decisionId }: GetDecisionRequest, call: Call): Promise<Decision> {
    check({ decision_id: required(decisionId, id('dec', decisionId)) });
    const found = await this.view.get(decisionId);
    if (found === undefined || !(await this.#mayRead(found.made, call)))
      throw refuse('DECISION_UNKNOWN', `no decision \`${decisionId}\` that you may read`);
    return decisionMessage(found);
  }

  async listDecisions(request: ListDecisionsRequest, call: Call): Promise<ListDecisionsResponse> {
    const { sessionId, outcome } = request;
    check({
      session_id: optional(sessionId, id('ses', sessionId)),
      agent_id: optional(request.agentId, id('agt', request.agentId)),
      outcome: outcome === Outcome.OUTCOME_UNSPECIFIED ? undefined : enumValue(Outcome, outcome),
    });
    const agentId = call.caller.kind === 'agent' ? call.caller.id : request.agentId;
    const filter = { sessionId, agentId, outcome };
    const page = this.pages.open(request, { list: 'decisions', caller: call.caller.id, ...filter });
    const below = page.after === undefined ? Number.MAX_SAFE_INTEGER : Number(page.after);
    const found = await this.view.list(filter, below, page.size + 1);
    const { rows, nextPageToken } = page.cut(found, ({ pos }) => String(pos));
    return { decisions: rows.map(decisionMessage), nextPageToken };
  }

  async #read(request: DecideRequest, call: Call, field: string): Promise<Asked> {
    const action = actionFromMessage(request.action, field);
    const claims = await this.tokens.read(request.token, request.presentedCertificateSha256, call);
    const atLeast = request.atLeast.map(({ source, pos }) => ({ source, pos: Number(pos) }));
    return { claims, action, approvalId: request.approvalId, atLeast, requestId: request.requestId };
  }

  async #mayRead({ agentId, personId, sponsorId }: DecisionMade, { caller }: Call): Promise<boolean> {
    if (caller.kind === 'service') return true;
    if (caller.kind === 'agent') return caller.id === agentId;
    const held = await this.roles.rolesOf(caller.id);
    return readers.some((role) => held.has(role)) || caller.id === personId || caller.id === sponsorId;
  }
}

function answerMessage({ made, pos }: { made: DecisionMade; pos: number | undefined }): DecideResponse {
  return {
    decisionId: made.decisionId,
    outcome: made.outcome,
    reasonCode: made.reasonCode,
    reason: made.reason,
    actionDigest: made.actionDigest,
    approvalDemand: made.approvalDemand,
    policySetId: made.policySetId,
    policySetVersion: made.policySetVersion,
    policyIds: made.policyIds,
    position: pos === undefined ? undefined : { source: 'policy-engine', pos: BigInt(pos) },
  };
}

function decisionMessage({ made, pos }: RecordedDecision): Decision {
  return {
    name: `decisions/${made.decisionId}`,
    decisionId: made.decisionId,
    outcome: made.outcome,
    reasonCode: made.reasonCode,
    reason: made.reason,
    sessionId: made.sessionId,
    agentId: made.agentId,
    personId: made.personId,
    mandateId: made.mandateId,
    delegationIds: made.delegationIds,
    task: made.task,
    purpose: made.purpose,
    action: made.action,
    actionDigest: made.actionDigest,
    policySetVersion: made.policySetVersion,
    policyIds: made.policyIds,
    trustScore: made.trustScore,
    approvalId: made.approvalId,
    decideTime: made.decideTime,
    position: { source: 'policy-engine', pos: BigInt(pos) },
  };
}
