import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApprovalGranted, ApprovalUsed } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import type { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { AgentSuspended } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { EventStore } from '@writ/event-store';
import { newRequestId, payment, question, refusedWith, type Worker } from './asking.js';
import { House } from './house.js';
import { publish } from './neighbours.js';

let house: House;
let worker: Worker;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
});
afterAll(async () => {
  await house?.stop();
});

const { OUTCOME_ALLOW, OUTCOME_DENY, OUTCOME_APPROVAL_NEEDED } = Outcome;

/** The fact of a decision as the store has it. */
async function recorded({ decisionId }: DecideResponse): Promise<DecisionMade[]> {
  const facts = await house.engine.app.get(EventStore).read(`decision-${decisionId}`);
  return facts.map(({ data }) => DecisionMade.decode(data));
}

async function approve(asked: DecideResponse, wish: Partial<ApprovalGranted> = {}): Promise<string> {
  const approvalId = house.world.clock.newId('apr');
  const { decisionId, actionDigest, policySetId } = asked;
  const expireTime = new Date(house.world.clock.now().getTime() + 60_000);
  const bound = { sessionId: worker.sessionId, actionDigest, policySetId, expireTime };
  const data = { approvalId, decisionId, ...bound, approverIds: [house.world.clock.newId('psn')], ...wish };
  const pos = await publish(house.approvals, ApprovalGranted, 'ApprovalGranted', data, worker.agentId);
  await house.pay(worker, '1', { atLeast: [{ source: 'approvals', pos }] });
  return approvalId;
}

describe('a payment', () => {
  it('within the mandate is allowed, durably, with everything that explains it', async () => {
    const answer = await house.pay(worker, '1200');
    expect(answer).toMatchObject({
      outcome: OUTCOME_ALLOW,
      reasonCode: 'PERMITTED',
      policyIds: ['pay-small'],
      policySetVersion: 1,
    });
    expect(answer.position?.source).toBe('policy-engine');
    const [fact] = await recorded(answer);
    expect(fact).toMatchObject({
      sessionId: worker.sessionId,
      agentId: worker.agentId,
      personId: house.personId,
      mandateId: worker.mandateId,
      actionDigest: answer.actionDigest,
      trustScore: 78,
      sponsorId: house.personId,
      task: 'pay',
      limitUses: [
        { key: `mandate:${worker.mandateId}`, amount: { currencyCode: 'EUR', value: '1200' }, calls: 1n },
      ],
    });
    expect(fact?.factsKnown.map(({ source }) => source).sort()).toEqual([
      'approvals',
      'policy-engine',
      'registry',
      'session-broker',
    ]);
  });
  it('outside the mandate is denied with the reason, and the deny is recorded too', async () => {
    const answer = await house.pay(worker, '9000');
    expect(answer).toMatchObject({ outcome: OUTCOME_DENY, reasonCode: 'MANDATE_AMOUNT' });
    expect(answer.reason).toContain('9000 EUR');
    await house.until(async () => (await recorded(answer)).length === 1);
  });
  it('is decided for an agent that asks for itself', async () => {
    const own = house.decisions(worker.identity);
    const answer = await own.decide(question(worker, payment('10'), { presentedCertificateSha256: '' }));
    expect(answer.outcome).toBe(OUTCOME_ALLOW);
  });
  it('can be decided among others, each on its own, answers in order', async () => {
    const requests = ['10', '9000', '4000'].map((amount) => question(worker, payment(amount)));
    const { responses } = await house.decisions().decideBatch({ requests });
    expect(responses.map(({ outcome }) => outcome)).toEqual([
      OUTCOME_ALLOW,
      OUTCOME_DENY,
      OUTCOME_APPROVAL_NEEDED,
    ]);
  });
});

describe('an approval', () => {
  it('lets exactly the approved action through, once', async () => {
    const asked = await house.pay(worker, '4000');
    expect(asked).toMatchObject({
      outcome: OUTCOME_APPROVAL_NEEDED,
      approvalDemand: { quorum: 1, ttlSeconds: 3600 },
    });
    expect(await recorded(asked)).toHaveLength(1);
    const approvalId = await approve(asked);
    expect(await house.pay(worker, '3999', { approvalId })).toMatchObject({
      outcome: OUTCOME_DENY,
      reasonCode: 'APPROVAL_OTHER_ACTION',
    });
    const allowed = await house.pay(worker, '4000', { approvalId });
    expect(allowed).toMatchObject({ outcome: OUTCOME_ALLOW, reasonCode: 'APPROVED' });
    expect((await recorded(allowed))[0]?.approvalId).toBe(approvalId);
    expect(await house.pay(worker, '4000', { approvalId })).toMatchObject({
      outcome: OUTCOME_DENY,
      reasonCode: 'APPROVAL_USED',
    });
  });
  it('works once for twenty who use it at the same time', async () => {
    const one = await house.worker();
    const asked = await house.pay(one, '4000');
    const approvalId = await approve(asked, { sessionId: one.sessionId });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => house.pay(one, '4000', { approvalId })),
    );
    expect(answers.filter(({ outcome }) => outcome === OUTCOME_ALLOW)).toHaveLength(1);
    expect(answers.filter(({ reasonCode }) => reasonCode === 'APPROVAL_USED')).toHaveLength(19);
  });
  it('gives the same answer to a retry that comes after its use is known', async () => {
    const one = await house.worker();
    const asked = await house.pay(one, '4000');
    const approvalId = await approve(asked, { sessionId: one.sessionId });
    const requestId = newRequestId();
    const first = await house.pay(one, '4000', { approvalId, requestId });
    expect(first.outcome).toBe(OUTCOME_ALLOW);
    const used = { approvalId, decisionId: first.decisionId };
    const pos = await publish(house.approvals, ApprovalUsed, 'ApprovalUsed', used, one.agentId);
    const atLeast = [{ source: 'approvals', pos }];
    expect(await house.pay(one, '4000', { approvalId, requestId, atLeast })).toEqual(first);
    expect(await house.pay(one, '4000', { approvalId, atLeast })).toMatchObject({
      reasonCode: 'APPROVAL_USED',
    });
  });
  it('is not used up by a payment that its limit refuses', async () => {
    const one = await house.worker({ total: '5000' });
    const asked = await house.pay(one, '4000');
    const approvalId = await approve(asked, { sessionId: one.sessionId });
    await house.pay(one, '1500');
    expect(await house.pay(one, '4000', { approvalId })).toMatchObject({ reasonCode: 'LIMIT_AMOUNT_TOTAL' });
    expect(await house.pay(one, '4000', { approvalId })).toMatchObject({ reasonCode: 'LIMIT_AMOUNT_TOTAL' });
  });
  it('under policies that have changed since is refused', async () => {
    const asked = await house.pay(worker, '4000');
    const approvalId = await approve(asked, { policySetId: house.world.clock.newId('pol') });
    expect(await house.pay(worker, '4000', { approvalId })).toMatchObject({
      reasonCode: 'APPROVAL_OTHER_POLICY_SET',
    });
  });
});

describe('a stop', () => {
  it('denies the next decision within milliseconds of the order', async () => {
    const one = await house.worker();
    house.watch.place(
      { targetKind: WatchTargetKind.WATCH_TARGET_KIND_AGENT, targetId: one.agentId },
      house.world.clock.now(),
    );
    await house.until(async () => (await house.pay(one, '1')).reasonCode === 'LOCKED', 500);
    expect((await house.pay(worker, '1')).outcome).toBe(OUTCOME_ALLOW);
  });
  it('beats the repetition of an earlier allow', async () => {
    const one = await house.worker();
    const requestId = newRequestId();
    expect((await house.pay(one, '1', { requestId })).outcome).toBe(OUTCOME_ALLOW);
    house.watch.place(
      { targetKind: WatchTargetKind.WATCH_TARGET_KIND_SESSION, targetId: one.sessionId },
      house.world.clock.now(),
    );
    await house.until(async () => (await house.pay(one, '1', { requestId })).reasonCode === 'LOCKED', 500);
  });
  it('an order of a kind that is not known here stops everything until it is understood', async () => {
    house.watch.place(
      {
        targetKind: WatchTargetKind.WATCH_TARGET_KIND_UNSPECIFIED,
        targetId: 'whatever',
        lockId: 'lck_01K41M7JG0000000000000NEW1',
      },
      house.world.clock.now(),
    );
    await house.until(async () => (await house.pay(worker, '1')).reasonCode === 'LOCKED', 500);
    const lifted = {
      targetKind: WatchTargetKind.WATCH_TARGET_KIND_UNSPECIFIED,
      targetId: 'whatever',
      lockId: 'lck_01K41M7JG0000000000000NEW1',
      lifted: true,
    };
    house.watch.place({ ...lifted, notBefore: new Date(0) }, house.world.clock.now());
    worker = await house.worker();
    expect((await house.pay(worker, '1')).outcome).toBe(OUTCOME_ALLOW);
  });
  it('a suspended agent is denied as soon as the fact is known', async () => {
    const one = await house.worker();
    const data = { agentId: one.agentId, reason: 'a drill' };
    const pos = await publish(house.registry, AgentSuspended, 'AgentSuspended', data, one.agentId);
    const answer = await house.pay(one, '1', { atLeast: [{ source: 'registry', pos }] });
    expect(answer).toMatchObject({ outcome: OUTCOME_DENY, reasonCode: 'AGENT_SUSPENDED' });
  });
});

describe('a recorded decision', () => {
  it('can be read by those it concerns and by those who oversee, and by nobody else', async () => {
    const answer = await house.pay(worker, '10');
    const { decisionId } = answer;
    const stranger = await house.worker();
    expect(await house.decisions(house.admin).getDecision({ decisionId })).toMatchObject({
      reasonCode: 'PERMITTED',
      position: answer.position,
    });
    expect(await house.decisions(worker.identity).getDecision({ decisionId })).toMatchObject({
      agentId: worker.agentId,
    });
    expect(await refusedWith(house.decisions(stranger.identity).getDecision({ decisionId }))).toMatchObject({
      reason: 'DECISION_UNKNOWN',
    });
    expect(await refusedWith(house.decisions().getDecision({ decisionId }))).toMatchObject({
      reason: 'CALLER_NOT_ALLOWED',
    });
  });
  it('is listed newest first, page by page, by session and outcome', async () => {
    const one = await house.worker();
    const answers: DecideResponse[] = [];
    for (const amount of ['1', '2', '3']) answers.push(await house.pay(one, amount));
    const filter = { sessionId: one.sessionId, agentId: '', outcome: OUTCOME_ALLOW, pageSize: 2 };
    const first = await house.decisions(house.admin).listDecisions({ ...filter, pageToken: '' });
    const rest = await house
      .decisions(house.admin)
      .listDecisions({ ...filter, pageToken: first.nextPageToken });
    const listed = [...first.decisions, ...rest.decisions].map(({ decisionId }) => decisionId);
    expect(listed).toEqual(answers.toReversed().map(({ decisionId }) => decisionId));
    expect(rest.nextPageToken).toBe('');
  });
  it('an agent that lists sees its own only', async () => {
    const one = await house.worker();
    const { decisionId } = await house.pay(one, '1');
    const filter = {
      sessionId: '',
      agentId: worker.agentId,
      outcome: OUTCOME_ALLOW,
      pageSize: 0,
      pageToken: '',
    };
    const { decisions } = await house.decisions(one.identity).listDecisions(filter);
    expect(decisions.map((decision) => decision.decisionId)).toEqual([decisionId]);
  });
});
