import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { ApplyPolicySetRequest } from '@writ/contracts/writ/policy/v1/policy_set.js';
import {
  type DeepPartial,
  PolicySetApplied,
  PolicyTest,
} from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { EventStore } from '@writ/event-store';
import { digestOfJson } from '@writ/kernel';
import { type Identity, refusalOf, sha256 } from '@writ/service';
import { newRequestId, payment, refusedWith, type Worker } from './asking.js';
import { House } from './house.js';

let house: House;
let worker: Worker;
let operator: Identity;

beforeAll(async () => {
  house = await House.build({ policies: false });
  worker = await house.worker();
  operator = await house.person([Role.ROLE_OPERATOR]);
});
afterAll(async () => {
  await house?.stop();
});

const patient = { deadlineMs: 20_000 };
const permit = '@id("all") permit (principal, action, resource);';
const small = '@id("small") permit (principal, action, resource) when { context.trust > 90 };';
const { OUTCOME_ALLOW, OUTCOME_DENY } = Outcome;

function pays(wish: DeepPartial<PolicyTest> = {}): PolicyTest {
  return PolicyTest.fromPartial({
    name: 'pays an invoice',
    agent: { owner: 'finance', sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL },
    action: payment('1'),
    trust: 70,
    environment: Environment.ENVIRONMENT_PRODUCTION,
    expect: { outcome: OUTCOME_ALLOW },
    ...wish,
  });
}
const neverPays = (name: string) => pays({ name, expect: { outcome: OUTCOME_DENY } });

async function apply(policies: string, tests: PolicyTest[], wish: Partial<ApplyPolicySetRequest> = {}) {
  const { schema } = await house.starterSet();
  const blank = { note: '', etag: '', requestId: '', validateOnly: false };
  return house.policySets().applyPolicySet({ ...blank, policies, schema, tests, ...wish }, patient);
}
const rollback = (policySetId: string, wish: object = {}) => {
  const blank = { note: '', etag: '', requestId: '', validateOnly: false };
  return house.policySets().rollbackPolicySet({ ...blank, policySetId, ...wish }, patient);
};
const facts = async () =>
  (await house.engine.app.get(EventStore).read('policy-set-active')).map(({ data }) =>
    PolicySetApplied.decode(data),
  );
const active = () => house.policySets().getPolicySet({ policySetId: '' });
const list = async () =>
  (await house.policySets().listPolicySets({ pageSize: 50, pageToken: '' })).policySets;

describe('a policy set with tests', () => {
  it.each([false, true])(
    'cannot become active while one fails, and the refusal names each (only asked about: %s)',
    async (validateOnly) => {
      const tests = [pays(), neverPays('pays nobody'), neverPays('pays no friend')];
      const error = await apply(permit, tests, { validateOnly }).catch(refusalOf);
      expect(error).toMatchObject({
        reason: 'POLICY_TESTS_FAILED',
        status: 'INVALID_ARGUMENT',
        message: '2 of 3 tests failed: `pays nobody`: expected deny, got allow by `all`',
        fields: [
          { field: 'tests[1]', description: '`pays nobody`: expected deny, got allow by `all`' },
          { field: 'tests[2]', description: '`pays no friend`: expected deny, got allow by `all`' },
        ],
      });
      expect(await facts()).toEqual([]);
      expect((await house.pay(worker, '1')).reasonCode).toBe('POLICY_NONE');
    },
  );
  it('becomes active when they pass, and keeps them', async () => {
    const applied = await apply(permit, [pays()]);
    expect(applied).toMatchObject({ version: 1, active: true, restoredPolicySetId: '' });
    expect(applied.tests).toEqual([pays()]);
    expect((await active()).tests).toEqual([pays()]);
    expect((await facts())[0]?.tests).toEqual([pays()]);
    expect((await house.pay(worker, '1')).policyIds).toEqual(['all']);
  });
  it('changes nothing when applied again, and is another set with other tests', async () => {
    expect(await apply(permit, [pays()])).toMatchObject({ version: 1 });
    const more = await apply(permit, [pays(), pays({ name: 'pays another' })]);
    expect(more).toMatchObject({ version: 2, active: true });
  });
  it('has the digest of its texts alone when it has no tests, as before there were any', async () => {
    const { schema } = await house.starterSet();
    const { digest } = await apply(permit, [], { validateOnly: true });
    expect(digest).toBe(digestOfJson({ policies: permit, schema }, sha256));
    expect((await active()).digest).not.toBe(digest);
  });
  it('is refused with the place when a test could never be asked', async () => {
    const tests = [pays({ trust: 101 }), pays({ name: '', agent: { agentId: 'pay-agent', sensitivity: 1 } })];
    expect(await refusedWith(apply(permit, tests))).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['tests[0].trust', 'tests[1].agent.agent_id', 'tests[1].name'],
    });
  });
  it('is refused with too many tests, or too large ones', async () => {
    const many = Array.from({ length: 501 }, (_, place) => pays({ name: `test ${place}` }));
    expect(await refusedWith(apply(permit, many))).toEqual({ reason: 'INVALID_ARGUMENT', fields: ['tests'] });
    const large = many
      .slice(0, 300)
      .map((test) => ({ ...test, purpose: 'x'.repeat(500), task: 'x'.repeat(500) }));
    expect(await refusedWith(apply(permit, large))).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['tests'],
    });
  });
  it('is refused with characters that nobody sees, for a reviewer reads what decides', async () => {
    const error = await apply(`${permit}\n// \u202e`, []).then(() => undefined, refusalOf);
    expect(error).toMatchObject({ reason: 'POLICY_SET_INVALID' });
    expect(error?.message).toContain('line 2, column 4: the character U+202E cannot be seen');
    expect(await refusedWith(apply(`${permit}\n// \0`, []))).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['policies'],
    });
  });
});

describe('asking what a policy set would come to', () => {
  const ask = async (policies: string, tests: PolicyTest[], by = operator) => {
    const { schema } = await house.starterSet();
    return house.policySets(by).testPolicySet({ policies, schema, tests }, patient);
  };
  it('answers each test by the evaluator that decides, and changes nothing', async () => {
    const before = await facts();
    const { problems, results } = await ask(permit, [pays(), neverPays('pays nobody')]);
    expect(problems).toEqual([]);
    expect(
      results.map(({ name, passed, outcome, policies }) => ({ name, passed, outcome, policies })),
    ).toEqual([
      { name: 'pays an invoice', passed: true, outcome: OUTCOME_ALLOW, policies: ['all'] },
      { name: 'pays nobody', passed: false, outcome: OUTCOME_ALLOW, policies: ['all'] },
    ]);
    expect(await facts()).toEqual(before);
  });
  it('answers every problem with its place and what stands there, and runs no test', async () => {
    const policies = `${permit}\n@id("typo") forbid (principal, action, resource) when { context.amout > 1 };`;
    const { problems, results } = await ask(policies, [pays()]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ field: 'policies', line: 2 });
    const [line = '', caret = ''] = (problems[0]?.excerpt ?? '').split('\n');
    expect(line.slice(caret.indexOf('^'))).toMatch(/^context.amout > 1/);
    expect(results).toEqual([]);
  });
  it('is for people who apply or operate', async () => {
    const auditor = await house.person([Role.ROLE_AUDITOR]);
    for (const by of [auditor, worker.identity])
      expect(await refusedWith(ask(permit, [], by))).toMatchObject({ reason: 'CALLER_NOT_ALLOWED' });
  });
});

describe('a rollback', () => {
  it('applies the texts and tests of an earlier set as a new version that says which it was', async () => {
    const [first] = await facts();
    await apply(small, []);
    expect((await house.pay(worker, '1')).reasonCode).toBe('POLICY_NO_PERMIT');
    const requestId = newRequestId();
    const id = first?.policySetId ?? '';
    const back = await rollback(id, { note: 'too strict', etag: '3', requestId });
    expect(back).toMatchObject({ version: 4, active: true, restoredPolicySetId: id, note: 'too strict' });
    expect(back).toMatchObject({ policies: permit, digest: first?.digest, tests: [pays()] });
    expect(back.policySetId).not.toBe(id);
    expect((await facts())[3]).toMatchObject({ restoredPolicySetId: id, digest: first?.digest });
    expect((await house.pay(worker, '1')).policySetId).toBe(back.policySetId);
    expect(await rollback(id, { note: 'too strict', etag: '3', requestId })).toEqual(back);
  });
  it('to what is active already changes nothing', async () => {
    expect(await rollback((await active()).policySetId)).toMatchObject({ version: 4, active: true });
  });
  it('only asked about changes nothing', async () => {
    const [second] = (await list()).filter(({ version }) => version === 2);
    const preview = await rollback(second?.policySetId ?? '', { validateOnly: true });
    expect(preview).toMatchObject({ version: 5, active: false, restoredPolicySetId: second?.policySetId });
    expect((await active()).version).toBe(4);
  });
  it('is refused for a set that is none, and over one that its author has not seen', async () => {
    expect(await refusedWith(rollback(''))).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['policy_set_id'],
    });
    expect(await refusedWith(rollback(house.world.clock.newId('pol')))).toMatchObject({
      reason: 'POLICY_SET_UNKNOWN',
    });
    const [third] = (await list()).filter(({ version }) => version === 3);
    expect(await refusedWith(rollback(third?.policySetId ?? '', { etag: '2' }))).toMatchObject({
      reason: 'ETAG_STALE',
    });
  });
  it('is not for those who may only read', async () => {
    const { policySetId } = await active();
    const blank = { note: '', etag: '', requestId: '', validateOnly: false };
    expect(
      await refusedWith(house.policySets(operator).rollbackPolicySet({ ...blank, policySetId })),
    ).toMatchObject({ reason: 'CALLER_NOT_ALLOWED' });
  });
  it('to a set that does not hold today is refused', async () => {
    // As if its policies had been applied by an engine that ran no tests.
    await house.sql(
      `update policy_engine_view.policy_set set tests = jsonb_set(tests, '{0,expect,outcome}', '"OUTCOME_DENY"') where version = 1`,
    );
    const [first] = (await list()).filter(({ version }) => version === 1);
    expect(await refusedWith(rollback(first?.policySetId ?? ''))).toEqual({
      reason: 'POLICY_TESTS_FAILED',
      fields: ['tests[0]'],
    });
  });
});
