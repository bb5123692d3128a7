import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApprovalGranted } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { newRequestId, payment, question, type Worker } from './asking.js';
import { AuthzenClient, evaluation, proofOf } from './authzen-client.js';
import { House } from './house.js';
import { publish } from './neighbours.js';

const EVALUATION = '/access/v1/evaluation';
const EVALUATIONS = '/access/v1/evaluations';

let house: House;
let worker: Worker;
let point: AuthzenClient;
let agent: AuthzenClient;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
  point = AuthzenClient.of(house.engine, house.gateway);
  agent = AuthzenClient.of(house.engine, worker.identity);
}, 120_000);

afterAll(async () => {
  point?.close();
  agent?.close();
  await house?.stop();
});

/** How many allows of a session are on record: each is, before it is answered. */
async function recorded({ sessionId, identity }: Worker): Promise<number> {
  const all = { sessionId, agentId: '', outcome: Outcome.OUTCOME_ALLOW, pageSize: 200, pageToken: '' };
  return (await house.decisions(identity).listDecisions(all)).decisions.length;
}

describe('an evaluation', () => {
  it('is allowed with what the decision stands on, and is recorded', async () => {
    const { status, json, headers } = await point.post(EVALUATION, evaluation(worker, '900'));
    expect({ status, decision: json.decision, reason: json.context.reason }).toEqual({
      status: 200,
      decision: true,
      reason: 'PERMITTED',
    });
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    const { decision_id: decisionId, policy_ids: ids, action_digest: digest, position } = json.context;
    expect(ids).toEqual(['pay-small']);
    const stored = await house.decisions(worker.identity).getDecision({ decisionId });
    expect({ digest: stored.actionDigest, pos: String(stored.position?.pos) }).toEqual({
      digest,
      pos: position.pos,
    });
  });

  it.each(['900', '4999', '6000'])('of %s euros is decided as `Decide` decides it', async (value) => {
    const { json } = await point.post(EVALUATION, evaluation(worker, value));
    const { outcome, reasonCode, reason, actionDigest, policyIds } = await house.pay(worker, value);
    expect(json.decision).toBe(outcome === Outcome.OUTCOME_ALLOW);
    expect(json.context).toMatchObject({
      reason: reasonCode,
      reason_admin: { en: reason },
      policy_ids: policyIds,
      action_digest: actionDigest,
    });
  });

  it('is asked by an agent for itself, with no certificate named', async () => {
    const { context, ...rest } = evaluation(worker, '10');
    const { json } = await agent.post(EVALUATION, { ...rest, context: { token: context.token } });
    expect(json.decision).toBe(true);
  });

  it('ignores members that the standard does not know, a member `requestId` among them', async () => {
    const body = {
      ...evaluation(worker, '10'),
      requestId: 'no UUID',
      futureField: { nested: [1.5, 2 ** 60] },
    };
    const { status, json } = await point.post(EVALUATION, body);
    expect([status, json.decision]).toEqual([200, true]);
  });

  it('takes every further property as an attribute of the action', async () => {
    const asked = evaluation(worker, '10');
    const action = { ...asked.action, properties: { ...asked.action.properties, supplier: 'S-1', lines: 3 } };
    const resource = { ...asked.resource, properties: { ...asked.resource.properties, urgent: false } };
    const { json } = await point.post(EVALUATION, { ...asked, action, resource });
    const { action: stored } = await house
      .decisions(worker.identity)
      .getDecision({ decisionId: json.context.decision_id });
    expect(stored?.attributes.map(({ name, value }) => [name, value?.value])).toEqual([
      ['supplier', 'S-1'],
      ['lines', 3n],
      ['urgent', false],
    ]);
  });

  it('that needs a person is a deny that says so, and is allowed once with the approval', async () => {
    const { json } = await point.post(EVALUATION, evaluation(worker, '3000'));
    expect(json.decision).toBe(false);
    expect(json.context).toMatchObject({
      reason: 'APPROVAL_REQUIRED',
      reason_user: { en: 'A person must approve this first.' },
      evaluation_id: json.context.decision_id,
      approval_demand: { quorum: 1, ttl_seconds: 3600 },
      access_request: { display: { title: 'Approval needed' } },
    });
    const { evaluated_at: at, access_request: request } = json.context;
    expect(Date.parse(request.expires_at) - Date.parse(at)).toBe(3_600_000);
    expect(request).not.toHaveProperty('endpoint');
    const approvalId = house.world.clock.newId('apr');
    const granted = ApprovalGranted.fromPartial({
      approvalId,
      decisionId: json.context.decision_id,
      sessionId: worker.sessionId,
      actionDigest: json.context.action_digest,
      policySetId: json.context.policy_set_id,
      approverIds: [house.world.clock.newId('psn')],
      expireTime: new Date(request.expires_at),
    });
    const pos = await publish(house.approvals, ApprovalGranted, 'ApprovalGranted', granted, approvalId);
    const known = { at_least: [{ source: 'approvals', pos: String(pos) }] };
    await house.until(async () => {
      const { json: again } = await point.post(EVALUATION, evaluation(worker, '3000', known));
      return again.context.reason !== 'FACTS_STALE';
    });
    const once = await point.post(EVALUATION, evaluation(worker, '3000', { approval: { id: approvalId } }));
    expect([once.json.decision, once.json.context.reason]).toEqual([true, 'APPROVED']);
    const twice = await point.post(EVALUATION, evaluation(worker, '3000', { approval_id: approvalId }));
    expect([twice.json.decision, twice.json.context.reason]).toEqual([false, 'APPROVAL_USED']);
  });

  it('with the same request id has the same answer, over gRPC too', async () => {
    const requestId = newRequestId();
    const body = evaluation(worker, '11', { request_id: requestId });
    const first = await point.post(EVALUATION, body);
    const second = await point.post(EVALUATION, body);
    const third = await house
      .decisions()
      .decide(question(worker, payment('11'), { requestId }), { deadlineMs: 10_000 });
    const ids = [first.json.context.decision_id, second.json.context.decision_id, third.decisionId];
    expect(new Set(ids).size).toBe(1);
    const other = await point.post(EVALUATION, evaluation(worker, '12', { request_id: requestId }));
    expect([other.status, other.json.reason]).toEqual([409, 'REQUEST_ID_REUSED']);
  });

  it('gives the X-Request-ID back and takes it for nothing else', async () => {
    const headers = { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' };
    const first = await point.post(EVALUATION, evaluation(worker, '13'), headers);
    const second = await point.post(EVALUATION, evaluation(worker, '14'), headers);
    expect([first.headers['x-request-id'], second.headers['x-request-id']]).toEqual(
      Array(2).fill(headers['x-request-id']),
    );
    expect(first.json.context.decision_id).not.toBe(second.json.context.decision_id);
  });
});

describe('evaluations', () => {
  const items = (...values: string[]) =>
    values.map((value) => ({ action: evaluation(worker, value).action }));
  const batch = (semantic: string | undefined, ...values: string[]) => {
    const { action: _action, ...defaults } = evaluation(worker, '1');
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } };
    return { ...defaults, ...options, evaluations: items(...values) };
  };
  const decisionsOf = (json: { evaluations: { decision: boolean }[] }) =>
    json.evaluations.map(({ decision }) => decision);

  it.each([undefined, 'execute_all'])('are all decided, in order, with semantic %s', async (semantic) => {
    const { status, json } = await point.post(EVALUATIONS, batch(semantic, '1', '6000', '2'));
    expect([status, decisionsOf(json), 'decision' in json]).toEqual([200, [true, false, true], false]);
  });

  it.each([
    ['deny_on_first_deny', ['1', '6000', '2'], [true, false]],
    ['permit_on_first_permit', ['6000', '1', '2'], [false, true]],
    ['permit_on_first_permit', ['6000', '3000'], [false, false]],
    ['deny_on_first_deny', ['1', '2'], [true, true]],
  ])('with %s end at the first that ends them: %j', async (semantic, values, expected) => {
    const { json } = await point.post(EVALUATIONS, batch(semantic, ...values));
    expect(decisionsOf(json)).toEqual(expected);
  });

  it('that a short circuit left out are not recorded', async () => {
    const other = await house.worker();
    const body = batch('permit_on_first_permit', '1', '2', '3');
    const { subject } = evaluation(other, '1');
    const { json } = await point.post(EVALUATIONS, { ...body, subject, context: proofOf(other) });
    expect(decisionsOf(json)).toEqual([true]);
    const { json: all } = await point.post(EVALUATIONS, {
      ...body,
      subject,
      context: proofOf(other),
      options: {},
    });
    expect(decisionsOf(all)).toEqual([true, true, true]);
    expect(await recorded(other)).toBe(4);
  });

  it.each([{}, { evaluations: [] }, { evaluations: null }])('with %j are one evaluation', async (none) => {
    const { json } = await point.post(EVALUATIONS, { ...evaluation(worker, '15'), ...none });
    expect([json.decision, json.context.reason]).toEqual([true, 'PERMITTED']);
  });

  it('that cannot be read are denies of their own and spoil no other', async () => {
    const asked = batch(undefined, '1', '2');
    const [first, second] = asked.evaluations;
    const stranger = { type: 'agent', id: house.world.clock.newId('agt') };
    const evaluations = [first, {}, 'text', { ...first, subject: stranger }, { action: { name: 7 } }, second];
    const { status, json } = await point.post(EVALUATIONS, { ...asked, evaluations });
    expect([status, decisionsOf(json)]).toEqual([200, [true, false, false, false, false, true]]);
    const errors = json.evaluations.map(
      ({ context }: { context: { error?: { status: number }; reason: string } }) => [
        context.error?.status,
        context.reason,
      ],
    );
    expect(errors).toEqual([
      [undefined, 'PERMITTED'],
      [400, 'INVALID_ARGUMENT'],
      [400, 'INVALID_ARGUMENT'],
      [400, 'SUBJECT_MISMATCH'],
      [400, 'INVALID_ARGUMENT'],
      [undefined, 'PERMITTED'],
    ]);
  });

  it('replace a default as a whole and take from it what every part must have', async () => {
    const asked = batch(undefined, '1');
    const evaluations = [
      { ...asked.evaluations[0], resource: { id: 'invoices/B' }, context: { time: 'now' } },
    ];
    const { json } = await point.post(EVALUATIONS, { ...asked, evaluations });
    const { action } = await house
      .decisions(worker.identity)
      .getDecision({ decisionId: json.evaluations[0].context.decision_id });
    expect([action?.type, action?.identifier, action?.location]).toEqual(['payment', 'invoices/B', '']);
  });

  it('under one request id are one question: the others are denied', async () => {
    const asked = batch(undefined, '21', '22');
    const context = { ...proofOf(worker), request_id: newRequestId() };
    const { json } = await point.post(EVALUATIONS, { ...asked, context });
    expect(decisionsOf(json)).toEqual([true, false]);
    expect(json.evaluations[1].context.reason).toBe('REQUEST_ID_REUSED');
  });

  it.each([
    [
      '101 of them',
      () => ({ ...batch(undefined), evaluations: items(...Array(101).fill('1')) }),
      'evaluations',
    ],
    ['no list', () => ({ ...batch(undefined), evaluations: {} }), 'evaluations'],
    ['an unknown semantic', () => batch('guess', '1'), 'options.evaluations_semantic'],
    ['options that are text', () => ({ ...batch(undefined, '1'), options: 'x' }), 'options'],
  ])('with %s are refused as a whole, and nothing is decided', async (_, body, field) => {
    const before = await recorded(worker);
    const { status, json } = await point.post(EVALUATIONS, body());
    expect([status, json.reason, json.errors[0].field]).toEqual([400, 'INVALID_ARGUMENT', field]);
    expect(await recorded(worker)).toBe(before);
  });
});

it('says where everything is that it serves, and nothing else', async () => {
  const { status, json } = await point.get('/.well-known/authzen-configuration');
  const base = `https://${house.engine.httpAddress}`;
  expect([status, json]).toEqual([
    200,
    {
      policy_decision_point: base,
      access_evaluation_endpoint: `${base}/access/v1/evaluation`,
      access_evaluations_endpoint: `${base}/access/v1/evaluations`,
      search_subject_endpoint: `${base}/access/v1/search/subject`,
      search_resource_endpoint: `${base}/access/v1/search/resource`,
      search_action_endpoint: `${base}/access/v1/search/action`,
    },
  ]);
  for (const [name, url] of Object.entries<string>(json)) {
    if (name === 'policy_decision_point') continue;
    const answer = await point.post(new URL(url).pathname, {});
    expect([name, answer.status]).toEqual([name, 400]);
  }
});
