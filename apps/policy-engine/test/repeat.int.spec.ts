import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApprovalGranted, ApprovalUsed } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import type { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { AgentTrustScored } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { newRequestId, payment, question, refusedWith, type Worker } from './asking.js';
import { House } from './house.js';
import { publish } from './neighbours.js';

let house: House;

beforeAll(async () => {
  house = await House.build();
});
afterAll(async () => {
  await house?.stop();
});

const { OUTCOME_ALLOW, OUTCOME_DENY, OUTCOME_APPROVAL_NEEDED } = Outcome;

const permit = '@id("all") permit (principal, action, resource);';
const forbid = '@id("none") forbid (principal, action == Action::"payment:pay", resource);';
const ask = (quorum: number) =>
  `@id("ask") @requires_approval("quorum=${quorum},ttl=3600") permit (principal, action, resource);`;

async function apply(policies: string): Promise<void> {
  const { schema } = await house.starterSet();
  const set = { policies, schema, note: '', etag: '', requestId: '', validateOnly: false, tests: [] };
  await house.policySets().applyPolicySet(set, { deadlineMs: 20_000 });
}

async function approve(
  by: Worker,
  { decisionId, actionDigest, policySetId }: DecideResponse,
): Promise<string> {
  const approvalId = house.world.clock.newId('apr');
  const expireTime = new Date(house.world.clock.now().getTime() + 60_000);
  const bound = { decisionId, sessionId: by.sessionId, actionDigest, policySetId, expireTime };
  const data = { approvalId, ...bound, approverIds: [house.world.clock.newId('psn')] };
  const pos = await publish(house.approvals, ApprovalGranted, 'ApprovalGranted', data, by.agentId);
  await house.pay(by, '1', { atLeast: [{ source: 'approvals', pos }] });
  return approvalId;
}

describe('the repetition of an allow', () => {
  it('is denied when the policies that were applied since forbid it', async () => {
    await apply(permit);
    const worker = await house.worker();
    const requestId = newRequestId();
    const first = await house.pay(worker, '10', { requestId });
    expect(first.outcome).toBe(OUTCOME_ALLOW);
    await apply(`${permit} ${forbid}`);
    expect(await house.pay(worker, '10', { requestId })).toMatchObject({
      outcome: OUTCOME_DENY,
      reasonCode: 'POLICY_FORBIDDEN',
    });
    await apply(ask(1).replace('action,', 'action == Action::"payment:read",'));
    expect((await house.pay(worker, '10', { requestId })).reasonCode).toBe('POLICY_NO_PERMIT');
    await apply(permit);
    expect(await house.pay(worker, '10', { requestId })).toEqual(first);
  });

  it('is denied when the trust of its agent has fallen', async () => {
    await apply(permit);
    const worker = await house.worker();
    const requestId = newRequestId();
    expect((await house.pay(worker, '10', { requestId })).outcome).toBe(OUTCOME_ALLOW);
    const scored = AgentTrustScored.fromPartial({ agentId: worker.agentId, score: 20 });
    const pos = await publish(house.registry, AgentTrustScored, 'AgentTrustScored', scored, worker.agentId);
    const atLeast = [{ source: 'registry', pos }];
    expect(await house.pay(worker, '10', { requestId, atLeast })).toMatchObject({
      outcome: OUTCOME_DENY,
      reasonCode: 'TRUST_PRODUCTION',
    });
  });

  it('waits for people when the policies that were applied since ask for them', async () => {
    await apply(permit);
    const worker = await house.worker();
    const requestId = newRequestId();
    const first = await house.pay(worker, '10', { requestId });
    expect(first.outcome).toBe(OUTCOME_ALLOW);
    await apply(ask(1));
    const [again, ...more] = await Promise.all([1, 2, 3].map(() => house.pay(worker, '10', { requestId })));
    for (const answer of [again, ...more])
      expect(answer).toMatchObject({ outcome: OUTCOME_APPROVAL_NEEDED, reasonCode: 'APPROVAL_REQUIRED' });
    const approvalId = house.world.clock.newId('apr');
    expect((await house.pay(worker, '10', { requestId, approvalId })).reasonCode).toBe('APPROVAL_UNKNOWN');
    const { decisionId = '' } = again ?? {};
    const recorded = await house.decisions(house.admin).getDecision({ decisionId });
    expect(recorded).toMatchObject({ outcome: OUTCOME_APPROVAL_NEEDED, position: again?.position });
    const other = house.pay(worker, '11', { requestId });
    expect(await refusedWith(other)).toMatchObject({ reason: 'REQUEST_ID_REUSED' });
  });

  it('that a person approved is the first answer, also after its use and under other policies that ask', async () => {
    await apply(ask(1));
    const worker = await house.worker();
    const requestId = newRequestId();
    const approvalId = await approve(worker, await house.pay(worker, '10'));
    const first = await house.pay(worker, '10', { approvalId, requestId });
    expect(first).toMatchObject({ outcome: OUTCOME_ALLOW, reasonCode: 'APPROVED' });
    const used = { approvalId, decisionId: first.decisionId };
    const pos = await publish(house.approvals, ApprovalUsed, 'ApprovalUsed', used, worker.agentId);
    const atLeast = [{ source: 'approvals', pos }];
    expect(await house.pay(worker, '10', { approvalId, requestId, atLeast })).toEqual(first);
    await apply(ask(2));
    expect(await house.pay(worker, '10', { approvalId, requestId })).toEqual(first);
    expect((await house.pay(worker, '10', { approvalId })).reasonCode).toBe('APPROVAL_USED');
  });

  it('that its limit could not give again is the first answer', async () => {
    await apply(permit);
    const worker = await house.worker({ total: '10' });
    const requestId = newRequestId();
    const first = await house.pay(worker, '10', { requestId });
    expect((await house.pay(worker, '10')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
    expect(await house.pay(worker, '10', { requestId })).toEqual(first);
  });
});

describe('a batch', () => {
  it('in which one request id came before with another question denies that one and answers the others', async () => {
    await apply(permit);
    const worker = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    expect((await house.pay(worker, '1', { requestId })).outcome).toBe(OUTCOME_ALLOW);
    const requests = [
      question(worker, payment('600')),
      question(worker, payment('2'), { requestId }),
      question(worker, payment('399'), { requestId: newRequestId() }),
    ];
    const { responses } = await house.decisions().decideBatch({ requests });
    expect(responses.map(({ outcome, reasonCode }) => [outcome, reasonCode])).toEqual([
      [OUTCOME_ALLOW, 'PERMITTED'],
      [OUTCOME_DENY, 'REQUEST_ID_REUSED'],
      [OUTCOME_ALLOW, 'PERMITTED'],
    ]);
    const denied = responses[1];
    expect(denied?.reason).toContain(requestId);
    await house.until(async () => {
      const { decisionId = '' } = denied ?? {};
      const read = house.decisions(house.admin).getDecision({ decisionId });
      return (await read.catch(() => undefined))?.reasonCode === 'REQUEST_ID_REUSED';
    });
    expect((await house.pay(worker, '1')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
  });
});
