import { type Action, actionFromMessage } from '@writ/authority';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { PolicyTestResult } from '@writ/contracts/writ/policy/v1/policy_set.js';
import type { PolicyTest, PolicyTestExpectation } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { Refusal } from '@writ/kernel';
import {
  enumValue,
  id,
  integer,
  list,
  matching,
  optional,
  type Problem,
  required,
  text,
} from '@writ/service';
import { type PolicyAnswer, type PolicyRequest, policyRequest } from '../decision/policy-request.js';
import type { CompiledPolicies, PolicyLanguage, PolicySource } from './policies.provider.js';

export const testsMax = 500;
const agentsMax = 8;
const depthMax = 8;
const policiesMax = 64;
const nameCharactersMax = 200;
const textCharactersMax = 500;

/** Stand for agents and people that no policy names. Real ids have a time in them, these have none. */
const someAgentId = `agt_${'0'.repeat(26)}`;
const someSponsorId = `psn_${'0'.repeat(26)}`;
const somePersonId = `psn_${'0'.repeat(25)}1`;
/** A Monday at noon: a test has the same answer whenever it runs. */
const someTime = new Date('2026-01-05T12:00:00Z');

/** What is wrong with the tests of a request, by proto path. A question that could never be asked tests nothing. */
export function testProblems(tests: readonly PolicyTest[]): Record<string, Problem> {
  if (tests.length > testsMax) return { tests: `must have at most ${testsMax} items` };
  const names = new Set<string>();
  const problems = tests.map((test, place) => {
    const repeated = names.has(test.name) ? 'is the name of another test' : undefined;
    names.add(test.name);
    const path = `tests[${place}]`;
    return {
      ...questionProblems(test, path),
      ...expectationProblems(test.expect, `${path}.expect`),
      [`${path}.name`]: text(test.name, { max: nameCharactersMax }) ?? repeated,
    };
  });
  return Object.assign({}, ...problems);
}

function questionProblems(test: PolicyTest, path: string): Record<string, Problem> {
  const { agent, personId, otherAgentIds, depth, purpose, task, trust, environment, time } = test;
  return {
    ...agentProblems(agent, `${path}.agent`),
    ...actionProblems(test, `${path}.action`),
    [`${path}.person_id`]: optional(personId, id('psn', personId)),
    [`${path}.other_agent_ids`]: list(otherAgentIds, { max: agentsMax, rule: (value) => id('agt', value) }),
    [`${path}.depth`]: integer(depth, { min: 0, max: depthMax }),
    [`${path}.purpose`]: optional(purpose, text(purpose, { max: textCharactersMax })),
    [`${path}.task`]: optional(task, text(task, { max: textCharactersMax })),
    [`${path}.trust`]: required(trust, integer(trust ?? 0, { min: 0, max: 100 })),
    [`${path}.environment`]: enumValue(Environment, environment),
    [`${path}.time`]:
      time !== undefined && Number.isNaN(time.getTime())
        ? 'must be a timestamp from year 1 to 9999'
        : undefined,
  };
}

function agentProblems(agent: PolicyTest['agent'], path: string): Record<string, Problem> {
  if (agent === undefined) return { [path]: required(agent) };
  const { agentId, owner, blueprintId, sensitivity, sponsorId } = agent;
  return {
    [`${path}.agent_id`]: optional(agentId, id('agt', agentId)),
    [`${path}.owner`]: optional(owner, text(owner, { max: nameCharactersMax })),
    [`${path}.blueprint_id`]: optional(blueprintId, id('bpr', blueprintId)),
    [`${path}.sensitivity`]: enumValue(Sensitivity, sensitivity),
    [`${path}.sponsor_id`]: optional(sponsorId, id('psn', sponsorId)),
  };
}

function actionProblems({ action }: PolicyTest, path: string): Record<string, Problem> {
  try {
    actionFromMessage(action, path);
    return {};
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return Object.fromEntries(error.fields.map(({ field, description }) => [field, description]));
  }
}

function expectationProblems(
  expect: PolicyTestExpectation | undefined,
  path: string,
): Record<string, Problem> {
  if (expect === undefined) return { [path]: required(expect) };
  const { outcome, policies, quorum, ttlSeconds } = expect;
  const demands = outcome === Outcome.OUTCOME_APPROVAL_NEEDED;
  const demand = (value: number, range: { min: number; max: number }) => {
    if (value === 0) return undefined;
    return demands ? integer(value, range) : 'has a meaning only where approval is needed';
  };
  const policy = (value: string) =>
    matching(value, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'the id of a policy, such as `pay-small`');
  return {
    [`${path}.outcome`]: enumValue(Outcome, outcome),
    [`${path}.policies`]: list(policies, { max: policiesMax, rule: policy }),
    [`${path}.quorum`]: demand(quorum, { min: 1, max: 10 }),
    [`${path}.ttl_seconds`]: demand(ttlSeconds, { min: 60, max: 604_800 }),
  };
}

/**
 * Asks each question of the policies as a decision would, by the same evaluator.
 * @param source a set without problems, and `tests` likewise
 */
export function runTests(
  language: PolicyLanguage,
  source: PolicySource,
  tests: readonly PolicyTest[],
): readonly PolicyTestResult[] {
  if (tests.length === 0) return [];
  const compiled = language.compile({ ...source, policySetId: 'test', version: 0 });
  try {
    return tests.map((test) => resultOf(test, compiled));
  } finally {
    compiled.release();
  }
}

function resultOf(test: PolicyTest, compiled: CompiledPolicies): PolicyTestResult {
  const request = requestOf(test);
  const { policyIds, errors, approvalDemand, ...answer } = compiled.hasAction(request.actionName)
    ? compiled.answer(request)
    : unknownAction(request);
  const got: Got = { outcome: outcomeOf({ ...answer, errors }, approvalDemand), policyIds, approvalDemand };
  const failure = failureOf(test.expect, got, errors);
  return {
    name: test.name,
    passed: failure === '',
    outcome: got.outcome,
    policies: [...policyIds],
    approvalDemand,
    errors: [...errors],
    failure,
  };
}

/** A test about an action that the schema does not name has a slip in it: it would be denied whatever the policies say. */
function unknownAction({ actionName }: PolicyRequest): PolicyAnswer {
  return { decision: 'deny', policyIds: [], errors: [`the schema knows no action \`${actionName}\``] };
}

function requestOf(test: PolicyTest): PolicyRequest {
  const { agent, personId, otherAgentIds, depth, purpose, task, trust = 0, environment, time } = test;
  const agentId = agent?.agentId || someAgentId;
  return policyRequest({
    action: actionOf(test),
    agent: {
      id: agentId,
      owner: agent?.owner ?? '',
      sponsorId: agent?.sponsorId || someSponsorId,
      blueprintId: agent?.blueprintId ?? '',
      environment,
      sensitivity: agent?.sensitivity ?? 0,
      attested: true,
      suspended: false,
      orphaned: false,
      retired: false,
      trustScore: trust,
    },
    session: {
      id: '',
      agentId,
      mandateId: '',
      delegationIds: Array.from({ length: depth }, () => ''),
      personId: personId || somePersonId,
      task,
      purpose,
      openedAt: time ?? someTime,
      expiresAt: time ?? someTime,
      ended: false,
    },
    agentIds: [...otherAgentIds, agentId],
    trust,
    at: time ?? someTime,
  });
}

function actionOf({ action }: PolicyTest): Action {
  return actionFromMessage(action);
}

interface Got {
  readonly outcome: Outcome;
  readonly policyIds: readonly string[];
  readonly approvalDemand: PolicyAnswer['approvalDemand'];
}

function outcomeOf(
  { decision, errors }: Pick<PolicyAnswer, 'decision' | 'errors'>,
  demand: PolicyAnswer['approvalDemand'],
): Outcome {
  if (decision === 'deny' || errors.length > 0) return Outcome.OUTCOME_DENY;
  return demand === undefined ? Outcome.OUTCOME_ALLOW : Outcome.OUTCOME_APPROVAL_NEEDED;
}

/** Empty when it came as expected. A deny because of an error is no deny that anybody meant. */
function failureOf(expect: PolicyTestExpectation | undefined, got: Got, errors: readonly string[]): string {
  const [error] = errors;
  if (error !== undefined) return `could not be evaluated: ${error}`;
  if (expect === undefined) return 'expects nothing';
  const { outcome, policies, quorum, ttlSeconds } = expect;
  const { approvalDemand: demand } = got;
  const same =
    outcome === got.outcome &&
    (policies.length === 0 || sorted(policies) === sorted(got.policyIds)) &&
    (quorum === 0 || quorum === demand?.quorum) &&
    (ttlSeconds === 0 || ttlSeconds === demand?.ttlSeconds);
  if (same) return '';
  const wanted = { outcome, policyIds: policies, approvalDemand: { quorum, ttlSeconds } };
  return `expected ${said(wanted)}, got ${said(got)}${got.policyIds.length === 0 ? ' as no policy permits it' : ''}`;
}

function sorted(ids: readonly string[]): string {
  return [...new Set(ids)].sort().join(' ');
}

const outcomeWords: Readonly<Record<number, string>> = {
  [Outcome.OUTCOME_ALLOW]: 'allow',
  [Outcome.OUTCOME_DENY]: 'deny',
  [Outcome.OUTCOME_APPROVAL_NEEDED]: 'approval needed',
};

/** `approval needed by `pay-large`, quorum 2, ttl 3600` */
function said({ outcome, policyIds, approvalDemand }: Got): string {
  const { quorum = 0, ttlSeconds = 0 } = approvalDemand ?? {};
  const by = policyIds.length === 0 ? '' : ` by ${policyIds.map((one) => `\`${one}\``).join(', ')}`;
  const people = quorum === 0 ? '' : `, quorum ${quorum}`;
  const time = ttlSeconds === 0 ? '' : `, ttl ${ttlSeconds}`;
  return `${outcomeWords[outcome] ?? 'nothing'}${by}${people}${time}`;
}
