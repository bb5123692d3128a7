import { describe, expect, it } from '@jest/globals';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type DeepPartial, PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { comparedCedar } from '../../test/cedar.js';
import { schema } from './policies.provider.contract.js';
import { runTests, testProblems } from './policy-test.flow.js';

type Wish = DeepPartial<PolicyTest>;

const { OUTCOME_ALLOW, OUTCOME_DENY, OUTCOME_APPROVAL_NEEDED } = Outcome;
const pay = {
  type: 'payment',
  name: 'pay',
  identifier: 'invoices/A',
  amount: { currencyCode: 'EUR', value: '10' },
};
const good: Wish = {
  name: 'pays',
  agent: { owner: 'finance', sensitivity: Sensitivity.SENSITIVITY_INTERNAL },
  action: pay,
  trust: 70,
  environment: Environment.ENVIRONMENT_PRODUCTION,
  expect: { outcome: OUTCOME_ALLOW },
};
const test = (wish: Wish = {}) => PolicyTest.fromPartial({ ...good, ...wish });
const permit = '@id("p") permit (principal, action == Action::"payment:pay", resource)';

function ran(policies: string, wish: Wish = {}) {
  const [result] = runTests(comparedCedar(), { policies, schema }, [test(wish)]);
  if (result === undefined) throw new Error('a test has a result');
  return result;
}
const failure = (policies: string, wish: Wish = {}) => ran(policies, wish).failure;

describe('a policy test', () => {
  it('passes when the policies answer as expected', () =>
    expect(ran(`${permit};`)).toEqual({
      name: 'pays',
      passed: true,
      outcome: OUTCOME_ALLOW,
      policies: ['p'],
      approvalDemand: undefined,
      errors: [],
      failure: '',
    }));
  it('fails when they answer otherwise, and says what came and by which policies', () => {
    expect(failure(`${permit};`, { expect: { outcome: OUTCOME_DENY } })).toBe(
      'expected deny, got allow by `p`',
    );
    expect(failure('')).toBe('expected allow, got deny as no policy permits it');
  });
  it('fails when others decide than those that it names', () => {
    const expected = { outcome: OUTCOME_ALLOW, policies: ['q'] };
    expect(failure(`${permit};`, { expect: expected })).toBe('expected allow by `q`, got allow by `p`');
    expect(failure(`${permit};`, { expect: { ...expected, policies: ['p'] } })).toBe('');
  });
  it('looks at quorum and time of an approval where it names them', () => {
    const policies = `@requires_approval("quorum=2,ttl=3600") ${permit};`;
    const outcome = OUTCOME_APPROVAL_NEEDED;
    expect(failure(policies, { expect: { outcome } })).toBe('');
    expect(failure(policies, { expect: { outcome, quorum: 2, ttlSeconds: 3600 } })).toBe('');
    expect(failure(policies, { expect: { outcome, quorum: 1, ttlSeconds: 60 } })).toBe(
      'expected approval needed, quorum 1, ttl 60, got approval needed by `p`, quorum 2, ttl 3600',
    );
    expect(failure(policies)).toMatch(/^expected allow, got approval needed/);
  });
  it('fails when a policy cannot be evaluated, also when it expects a deny', () => {
    const policies = `${permit} when { context.trust * 9223372036854775807 > 0 };`;
    const result = ran(policies, { expect: { outcome: OUTCOME_DENY } });
    expect(result.passed).toBe(false);
    expect(result.failure).toMatch(/^could not be evaluated: `p`/);
  });
  it('fails when the schema does not know its action, also when it expects a deny', () => {
    const slip = { action: { ...pay, name: 'pya' }, expect: { outcome: OUTCOME_DENY } };
    expect(failure(`${permit};`, slip)).toBe(
      'could not be evaluated: the schema knows no action `payment:pya`',
    );
  });
  it('has the same answer whenever it runs: without a time it is a Monday at noon', () =>
    expect(failure(`${permit} when { context.now == datetime("2026-01-05T12:00:00Z") };`)).toBe(''));

  const ids = {
    agent: 'agt_01K41M7JG00000000000000AGT',
    other: 'agt_01K41M7JG0000000000000AGT2',
    person: 'psn_01K41M7JG00000000000000PSN',
    sponsor: 'psn_01K41M7JG0000000000000PSN2',
    blueprint: 'bpr_01K41M7JG00000000000000BPR',
  };
  const whole: Wish = {
    agent: {
      agentId: ids.agent,
      owner: 'finance',
      blueprintId: ids.blueprint,
      sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
      sponsorId: ids.sponsor,
    },
    action: {
      ...pay,
      location: 'erp',
      datatypes: ['invoice'],
      attributes: [{ name: 'country', value: { $case: 'stringValue', value: 'DE' } }],
    },
    personId: ids.person,
    otherAgentIds: [ids.other],
    depth: 1,
    purpose: 'supplier run',
    task: 'pay invoice A',
    time: new Date('2026-09-01T09:00:00Z'),
  };
  it.each([
    ['the agent', `principal == Agent::"${ids.agent}"`],
    ['its team', 'principal in Team::"finance"'],
    ['its blueprint', `principal in Blueprint::"${ids.blueprint}"`],
    ['its sensitivity', 'principal.sensitivity == "confidential"'],
    ['its sponsor', `principal.sponsor == Person::"${ids.sponsor}"`],
    ['the place', 'resource in Location::"erp"'],
    ['the thing', 'resource == Resource::"invoices/A"'],
    ['the amount', 'context has amount && context.amount == decimal("10.0") && context.currency == "EUR"'],
    ['the data types', 'context.datatypes.contains("invoice")'],
    ['an attribute', 'context.attributes has country && context.attributes.country == "DE"'],
    ['the person', `context.person == Person::"${ids.person}"`],
    ['the chain', `context.agents.containsAll([Agent::"${ids.other}", Agent::"${ids.agent}"])`],
    ['the depth', 'context.depth == 1'],
    ['the purpose', 'context.purpose == "supplier run"'],
    ['the trust', 'context.trust == 70'],
    ['the environment', 'context.environment == "production"'],
    ['the time', 'context.now.toDate() == datetime("2026-09-01")'],
  ])('asks with %s', (_title, condition) => {
    expect(failure(`${permit} when { ${condition} };`, whole)).toBe('');
    expect(failure(`${permit} when { !(${condition}) };`, whole)).toMatch(/^expected allow, got deny/);
  });
});

describe('a policy test that cannot be run', () => {
  const wrong = (wish: Wish) =>
    Object.entries(testProblems([test(wish)])).flatMap(([field, problem]) => (problem ? [field] : []));
  it('is none that is whole', () => expect(wrong({})).toEqual([]));
  it.each<[string, Wish, string]>([
    ['without a name', { name: '' }, 'tests[0].name'],
    ['with a name of two lines', { name: 'a\nb' }, 'tests[0].name'],
    ['without an agent', { agent: undefined }, 'tests[0].agent'],
    ['without a sensitivity', { agent: { owner: 'x' } }, 'tests[0].agent.sensitivity'],
    [
      'with an agent that has no id',
      { agent: { agentId: 'pay-agent', sensitivity: 1 } },
      'tests[0].agent.agent_id',
    ],
    ['without an action', { action: undefined }, 'tests[0].action'],
    [
      'with a wildcard in what is acted on',
      { action: { ...pay, identifier: 'a/*' } },
      'tests[0].action.identifier',
    ],
    ['without trust', { trust: undefined }, 'tests[0].trust'],
    ['with trust of 101', { trust: 101 }, 'tests[0].trust'],
    ['without an environment', { environment: 0 }, 'tests[0].environment'],
    ['that expects nothing', { expect: undefined }, 'tests[0].expect'],
    ['that expects no outcome', { expect: {} }, 'tests[0].expect.outcome'],
    [
      'that expects a quorum of an allow',
      { expect: { outcome: OUTCOME_ALLOW, quorum: 1 } },
      'tests[0].expect.quorum',
    ],
    [
      'that expects a second',
      { expect: { outcome: OUTCOME_APPROVAL_NEEDED, ttlSeconds: 1 } },
      'tests[0].expect.ttl_seconds',
    ],
    ['that is too deep', { depth: 9 }, 'tests[0].depth'],
    ['at no time', { time: new Date(Number.NaN) }, 'tests[0].time'],
  ])('%s', (_title, wish, field) => expect(wrong(wish)).toEqual([field]));
  it('has the name of another', () =>
    expect(testProblems([test(), test()])['tests[1].name']).toBe('is the name of another test'));
  it('is one of more than 500', () => {
    const many = Array.from({ length: 501 }, (_, place) => test({ name: `test ${place}` }));
    expect(testProblems(many)).toEqual({ tests: 'must have at most 500 items' });
    expect(Object.values(testProblems(many.slice(1))).filter(Boolean)).toEqual([]);
  });
});
