import {
  LedgerServiceService,
  TraceDecisionRequest,
  TraceDecisionResponse,
} from '@writ/contracts/writ/audit/v1/ledger.js';
import {
  DecideRequest,
  DecideResponse,
  Decision,
  DecisionServiceService,
  GetDecisionRequest,
  ListDecisionsRequest,
  ListDecisionsResponse,
} from '@writ/contracts/writ/policy/v1/decision.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { type JsonObject, listAt, textAt } from '../json.js';
import { approval, atLeast, flag, idArgument, presentedCertificate } from '../rows.js';
import { unary } from '../rpc.js';
import { actionText, column, listOf, shape, wide } from '../shape.js';
import { tokenExtras, tokenFills, withToken } from '../token.js';
import type { CallVerb, Noun } from '../verb.js';

const { decide, getDecision, listDecisions } = DecisionServiceService;

const answered = shape(
  [
    column('id', 'decisionId'),
    column('outcome', 'outcome'),
    column('reason', 'reason'),
    column('code', 'reasonCode'),
    wide('policies', 'policyIds'),
    wide('policy version', 'policySetVersion'),
    wide('action digest', 'actionDigest'),
    wide('approvers needed', 'approvalDemand.quorum'),
  ],
  (row) => `decisions/${textAt(row, 'decisionId')}`,
);
const decision = shape([
  column('id', 'decisionId'),
  column('outcome', 'outcome'),
  column('agent', 'agentId'),
  column('action', actionText),
  column('code', 'reasonCode'),
  column('decided', 'decideTime'),
  wide('reason', 'reason'),
  wide('session', 'sessionId'),
  wide('person', 'personId'),
  wide('mandate', 'mandateId'),
  wide('task', 'task'),
  wide('approval', 'approvalId'),
  wide('trust', 'trustScore'),
  wide('policies', 'policyIds'),
  wide('action digest', 'actionDigest'),
]);
const step = shape(
  [
    column('index', (row) => textAt(row, 'index') || '0'),
    column('kind', 'kind'),
    column('id', 'id'),
    column('what', 'summary'),
    column('at', 'at'),
    wide('by', 'actor'),
  ],
  (row) => textAt(row, 'id'),
);
const id = idArgument('decision');

/** Also `writ decide`. */
export const decideVerb: CallVerb = {
  name: 'make',
  doc: 'may this agent do this, now? the exit code says: 0 allow, 2 deny, 4 approval needed',
  rpc: unary('policy-engine', decide, DecideRequest, DecideResponse),
  shape: answered,
  file: true,
  options: [
    flag(
      'action',
      'what it wants to do, as in `type=payment,name=pay,identifier=erp/invoices/C,amount=4000EUR`',
      {
        required: true,
      },
    ),
    approval,
    atLeast,
    presentedCertificate,
  ],
  extras: tokenExtras,
  fills: tokenFills,
  before: withToken,
  verdict: outcomeCode,
  hint: nextAfter,
};

export const decisionNoun: Noun = {
  name: 'decision',
  doc: 'allow, deny, or approval needed: for one action, with its reasons',
  verbs: [
    decideVerb,
    {
      name: 'get',
      doc: 'show one decision',
      args: [id],
      rpc: unary('policy-engine', getDecision, GetDecisionRequest, Decision),
      shape: decision,
    },
    {
      name: 'list',
      doc: 'list decisions',
      rpc: unary('policy-engine', listDecisions, ListDecisionsRequest, ListDecisionsResponse),
      shape: listOf('decisions', decision),
      pages: 'decisions',
      options: [
        flag('session', 'only those in this session', { field: 'session_id' }),
        flag('agent', 'only those of this agent', { field: 'agent_id' }),
        flag('outcome', 'only those with this outcome'),
      ],
    },
    {
      name: 'trace',
      doc: 'who answers for it: from the decision to the person at the root, each step with its ledger index',
      args: [id],
      rpc: unary('audit', LedgerServiceService.traceDecision, TraceDecisionRequest, TraceDecisionResponse),
      shape: listOf('steps', step),
      verdict: (answer) => (listAt(answer, 'missing').length > 0 ? exitCodes.integrity : exitCodes.ok),
      hint: (answer) => {
        const missing = listAt(answer, 'missing').join(', ');
        return missing === ''
          ? `${textAt(answer, 'personId')} answers for it`
          : `the ledger lacks: ${missing}. next: writ ledger sources`;
      },
    },
  ],
};

/** What the outcome of a decision ends the process with. Anything but a clear allow is no. */
export function outcomeCode(answer: JsonObject): ExitCode {
  if (answer.outcome === 'OUTCOME_ALLOW') return exitCodes.ok;
  return answer.outcome === 'OUTCOME_APPROVAL_NEEDED' ? exitCodes.approvalPending : exitCodes.deny;
}

function nextAfter(answer: JsonObject): string {
  const decisionId = textAt(answer, 'decisionId');
  switch (outcomeCode(answer)) {
    case exitCodes.approvalPending:
      return `next: writ approval wait ${decisionId}, then the same with --approval`;
    case exitCodes.deny:
      return `why: writ decision get ${decisionId}`;
    default:
      return `who answers for it: writ decision trace ${decisionId}`;
  }
}
