import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { EventStore } from '@writ/event-store';
import type { RunningService } from '@writ/service';
import { newRequestId, payment, question, refusedWith } from './asking.js';
import { House } from './house.js';

let house: House;
let second: RunningService;

beforeAll(async () => {
  house = await House.build();
  second = await house.startEngine();
});
afterAll(async () => {
  await house?.stop();
});

const allowed = (answers: readonly DecideResponse[]) =>
  answers.filter(({ outcome }) => outcome === Outcome.OUTCOME_ALLOW);

describe('a limit', () => {
  it('of 20 000 is never overdrawn by 50 payments of 1 000 at the same time', async () => {
    const worker = await house.worker();
    const answers = await Promise.all(Array.from({ length: 50 }, () => house.pay(worker, '1000')));
    expect(allowed(answers)).toHaveLength(20);
    const denied = answers.filter(({ reasonCode }) => reasonCode === 'LIMIT_AMOUNT_TOTAL');
    expect(denied).toHaveLength(30);
    expect(denied[0]?.reason).toContain('20000 EUR');
  });
  it('is shared by two replicas', async () => {
    const worker = await house.worker();
    const replicas = [house.decisions(), house.decisions(house.gateway, second)];
    const ask = (place: number) => house.pay(worker, '1000', {}, replicas[place % 2]);
    await house.until(async () => (await ask(1)).outcome === Outcome.OUTCOME_ALLOW);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, place) => ask(place)));
    expect(allowed(answers).length).toBeLessThanOrEqual(19);
    const { decisions } = await house.decisions(house.admin).listDecisions({
      sessionId: worker.sessionId,
      agentId: '',
      outcome: Outcome.OUTCOME_ALLOW,
      pageSize: 100,
      pageToken: '',
    });
    expect(decisions).toHaveLength(20);
  });
  it('uses up cents exactly', async () => {
    const worker = await house.worker({ total: '0.3' });
    const answers = [];
    for (const amount of ['0.1', '0.1', '0.1', '0.0001'])
      answers.push((await house.pay(worker, amount)).outcome);
    expect(answers).toEqual([
      Outcome.OUTCOME_ALLOW,
      Outcome.OUTCOME_ALLOW,
      Outcome.OUTCOME_ALLOW,
      Outcome.OUTCOME_DENY,
    ]);
  });
  it('on the number of calls holds as well', async () => {
    const worker = await house.worker({ calls: 3n });
    const answers = await Promise.all(Array.from({ length: 10 }, () => house.pay(worker, '1')));
    expect(allowed(answers)).toHaveLength(3);
    expect(answers.filter(({ reasonCode }) => reasonCode === 'LIMIT_CALLS_TOTAL')).toHaveLength(7);
  });
  it('is not used by what is denied or waits for approval', async () => {
    const worker = await house.worker({ total: '4500' });
    expect((await house.pay(worker, '9000')).reasonCode).toBe('MANDATE_AMOUNT');
    expect((await house.pay(worker, '4000')).reasonCode).toBe('APPROVAL_REQUIRED');
    const answers = [];
    for (const amount of ['2000', '2000', '500', '0.01'])
      answers.push((await house.pay(worker, amount)).reasonCode);
    expect(answers).toEqual(['PERMITTED', 'PERMITTED', 'PERMITTED', 'LIMIT_AMOUNT_TOTAL']);
  });
  it('the deny of a limit is what is recorded', async () => {
    const worker = await house.worker({ total: '1' });
    const answer = await house.pay(worker, '2');
    expect(answer.position).toBeDefined();
    const [fact] = await house.engine.app.get(EventStore).read(`decision-${answer.decisionId}`);
    const made = DecisionMade.decode(fact?.data ?? new Uint8Array());
    expect(made).toMatchObject({
      outcome: Outcome.OUTCOME_DENY,
      reasonCode: 'LIMIT_AMOUNT_TOTAL',
      limitUses: [],
    });
  });
});

describe('a request id', () => {
  it('that is repeated gets the same answer, and the limit counts once', async () => {
    const worker = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    const first = await house.pay(worker, '600', { requestId });
    expect(first.outcome).toBe(Outcome.OUTCOME_ALLOW);
    expect(await house.pay(worker, '600', { requestId })).toEqual(first);
    expect(await house.pay(worker, '600', { requestId }, house.decisions(house.gateway, second))).toEqual(
      first,
    );
    expect((await house.pay(worker, '400')).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
  it('that comes twenty times at once, to two replicas, gets one answer', async () => {
    const worker = await house.worker({ total: '1000' });
    const replicas = [house.decisions(), house.decisions(house.gateway, second)];
    await house.until(
      async () => (await house.pay(worker, '9000', {}, replicas[1])).reasonCode === 'MANDATE_AMOUNT',
    );
    const requestId = newRequestId();
    const asked = Array.from({ length: 20 }, (_, place) =>
      house.pay(worker, '600', { requestId }, replicas[place % 2]),
    );
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ decisionId }) => decisionId)).size).toBe(1);
    expect(allowed(answers)).toHaveLength(20);
    expect((await house.pay(worker, '401')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
  });
  it('with another question is refused and decides nothing', async () => {
    const worker = await house.worker();
    const requestId = newRequestId();
    await house.pay(worker, '600', { requestId });
    expect(await refusedWith(house.pay(worker, '601', { requestId }))).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });
  it('of a deny is remembered too', async () => {
    const worker = await house.worker();
    const requestId = newRequestId();
    const first = await house.pay(worker, '9000', { requestId });
    expect(first.position).toBeDefined();
    expect(await house.pay(worker, '9000', { requestId })).toEqual(first);
  });
  it('of another session is another question', async () => {
    const [one, other] = [await house.worker(), await house.worker()];
    const requestId = newRequestId();
    const answers = [await house.pay(one, '1', { requestId }), await house.pay(other, '2', { requestId })];
    expect(allowed(answers)).toHaveLength(2);
  });
  it('counts within a batch as well', async () => {
    const worker = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    const requests = [1, 2, 3].map(() => question(worker, payment('600'), { requestId }));
    const { responses } = await house.decisions().decideBatch({ requests });
    expect(new Set(responses.map(({ decisionId }) => decisionId)).size).toBe(1);
    expect(allowed(responses)).toHaveLength(3);
  });
});

describe('after a restart', () => {
  it('limits, used request ids and sessions are known as before', async () => {
    const worker = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    const first = await house.pay(worker, '600', { requestId });
    await house.engine.stop();
    house.engine = await house.startEngine();
    expect((await house.pay(worker, '600')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
    expect(await house.pay(worker, '600', { requestId })).toEqual(first);
    expect((await house.pay(worker, '400')).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
  it('limits come back from the facts when the read model is rebuilt', async () => {
    const worker = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    const first = await house.pay(worker, '600', { requestId });
    // Presented and not needed, so the fact of an allow does not name it.
    const approvalId = house.world.clock.newId('apr');
    const [unneeded, overdrawn] = [newRequestId(), newRequestId()];
    const repeated = async () => [
      await house.pay(worker, '0', { requestId: unneeded, approvalId }),
      await house.pay(worker, '2000', { requestId: overdrawn, approvalId }),
    ];
    const before = await repeated();
    expect(before.map(({ reasonCode }) => reasonCode)).toEqual(['PERMITTED', 'LIMIT_AMOUNT_TOTAL']);
    await Promise.all([house.engine.stop(), second.stop()]);
    await house.sql("update policy_engine_view.view_state set version = 0 where name = 'decision'");
    house.engine = await house.startEngine();
    expect(await house.pay(worker, '600', { requestId })).toEqual(first);
    expect(await repeated()).toEqual(before);
    expect((await house.pay(worker, '401')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
    expect((await house.pay(worker, '400')).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
});
