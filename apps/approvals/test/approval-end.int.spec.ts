import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApprovalState } from '@writ/contracts/writ/approval/v1/approval.js';
import { ApprovalWithdrawn, WithdrawCause } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { PolicySetApplied } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LockPlaced, LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { SessionEndCause, SessionEnded } from '@writ/contracts/writ/session/v1/session_facts.js';
import { codeOf, House, type Person, voteOf } from './house.js';

let house: House;
let ben: Person;

beforeAll(async () => {
  house = await House.build();
  ben = await house.person([Role.ROLE_APPROVER]);
}, 60_000);

afterAll(async () => {
  await house?.stop();
});

const { APPROVAL_STATE_EXPIRED, APPROVAL_STATE_PENDING, APPROVAL_STATE_USED, APPROVAL_STATE_WITHDRAWN } =
  ApprovalState;

async function causeOf(approvalId: string): Promise<WithdrawCause | undefined> {
  const text = `select data from approvals.event where stream_id = $1 and type = 'ApprovalWithdrawn'`;
  const [row] = await house.sql<{ data: Buffer }>(text, [`approval-${approvalId}`]);
  return row && ApprovalWithdrawn.decode(row.data).cause;
}

async function endSession(sessionId: string, cause: SessionEndCause): Promise<void> {
  const agentId = house.newId('agt');
  await house.publish(house.broker, 'SessionEnded', SessionEnded, { sessionId, agentId, cause }, agentId);
}

async function lock(targetKind: LockTargetKind, targetId: string): Promise<void> {
  const lockId = house.newId('lck');
  const data = { lockId, targetKind, targetId, reason: 'a drill', expireTime: undefined };
  await house.publish(house.broker, 'LockPlaced', LockPlaced, data, targetId || 'everything');
}

describe('time', () => {
  it('ends what nobody decided', async () => {
    const { approvalId } = await house.ask({ ttlSeconds: 1 });
    await house.reaches(approvalId, APPROVAL_STATE_EXPIRED);
    expect(await house.factsOf(approvalId)).toEqual(['ApprovalRequested', 'ApprovalExpired']);
  });

  it('ends what nobody decided although another one cannot be ended', async () => {
    const broken = house.newId('apr');
    await house.sql(
      `insert into approvals_view.approval (approval_id, status, decision_id, session_id, agent_id, person_id,
         policy_set_id, action_digest, expire_time, requested_at, request, version, pos)
       values ($1, 'pending', '', '', '', '', '', '', now() - interval '1 day', now(), '{}', 1, 0)`,
      [broken],
    );
    const { approvalId } = await house.ask({ ttlSeconds: 1 });
    await house.reaches(approvalId, APPROVAL_STATE_EXPIRED);
    await house.sql('delete from approvals_view.approval where approval_id = $1', [broken]);
  });

  it('ends what was granted and not used', async () => {
    const approval = await house.ask({ ttlSeconds: 1 });
    await ben.approvals.vote(voteOf(approval, ben));
    await house.reaches(approval.approvalId, APPROVAL_STATE_EXPIRED);
  });

  it('lets no vote in after the expiry, swept or not', async () => {
    const approval = await house.ask({ decideTime: new Date(Date.now() - 10_000), ttlSeconds: 1 });
    const code = await codeOf(ben.approvals.vote(voteOf(approval, ben)));
    expect(['APPROVAL_EXPIRED', 'APPROVAL_CLOSED']).toContain(code);
    await house.reaches(approval.approvalId, APPROVAL_STATE_EXPIRED);
    expect(await house.factsOf(approval.approvalId)).not.toContain('ApprovalVoted');
  });
});

describe('a pending request', () => {
  it.each([
    [
      'the session has ended',
      SessionEndCause.SESSION_END_CAUSE_ENDED,
      WithdrawCause.WITHDRAW_CAUSE_SESSION_ENDED,
    ],
    [
      'the agent was stopped',
      SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED,
      WithdrawCause.WITHDRAW_CAUSE_AGENT_STOPPED,
    ],
    [
      'a lock ended the session',
      SessionEndCause.SESSION_END_CAUSE_LOCKED,
      WithdrawCause.WITHDRAW_CAUSE_LOCKED,
    ],
  ])('is withdrawn when %s', async (_title, end, cause) => {
    const approval = await house.ask();
    const other = await house.ask();
    await endSession(approval.sessionId, end);
    await house.reaches(approval.approvalId, APPROVAL_STATE_WITHDRAWN);
    expect(await causeOf(approval.approvalId)).toBe(cause);
    expect(await codeOf(ben.approvals.vote(voteOf(approval, ben)))).toBe('APPROVAL_CLOSED');
    await house.reaches(other.approvalId, APPROVAL_STATE_PENDING);
  });

  it.each([
    ['its session', LockTargetKind.LOCK_TARGET_KIND_SESSION, 'sessionId'],
    ['its agent', LockTargetKind.LOCK_TARGET_KIND_AGENT, 'agentId'],
    ['the person at the root', LockTargetKind.LOCK_TARGET_KIND_PERSON, 'personId'],
  ] as const)('is withdrawn by a lock on %s', async (_title, kind, key) => {
    const approval = await house.ask();
    await lock(kind, approval[key]);
    await house.reaches(approval.approvalId, APPROVAL_STATE_WITHDRAWN);
    expect(await causeOf(approval.approvalId)).toBe(WithdrawCause.WITHDRAW_CAUSE_LOCKED);
  });

  it('is withdrawn by a lock on everything, granted or not', async () => {
    const [pending, granted] = [await house.ask(), await house.ask()];
    await ben.approvals.vote(voteOf(granted, ben));
    await lock(LockTargetKind.LOCK_TARGET_KIND_EVERYTHING, '');
    for (const { approvalId } of [pending, granted])
      await house.reaches(approvalId, APPROVAL_STATE_WITHDRAWN);
  });

  it('is withdrawn when other policies are applied, and not by those it was decided under', async () => {
    const [old, current] = [
      await house.ask(),
      await house.ask({ policySetId: 'pol_01K41M7JG000000000000000P2' }),
    ];
    const applied = PolicySetApplied.fromPartial({ policySetId: current.policySetId, version: 2 });
    await house.publish(house.policy, 'PolicySetApplied', PolicySetApplied, applied, current.policySetId);
    await house.reaches(old.approvalId, APPROVAL_STATE_WITHDRAWN);
    expect(await causeOf(old.approvalId)).toBe(WithdrawCause.WITHDRAW_CAUSE_POLICY_CHANGED);
    await house.reaches(current.approvalId, APPROVAL_STATE_PENDING);
  });

  it('of a session that has ended before it came is not left open', async () => {
    const decision = house.decision();
    await endSession(decision.sessionId, SessionEndCause.SESSION_END_CAUSE_ENDED);
    // Facts of two services come in no order: the end of the session must have arrived for this to be the case.
    const marker = await house.ask();
    await endSession(marker.sessionId, SessionEndCause.SESSION_END_CAUSE_ENDED);
    await house.reaches(marker.approvalId, APPROVAL_STATE_WITHDRAWN);
    await house.decide(decision);
    const approval = await house.approvalOf(decision.decisionId);
    await house.reaches(approval.approvalId, APPROVAL_STATE_WITHDRAWN);
  });
});

describe('an approval', () => {
  it('works once', async () => {
    const asked = house.decision();
    await house.decide(asked);
    const approval = await house.approvalOf(asked.decisionId);
    const { approvalId } = approval;
    await ben.approvals.vote(voteOf(approval, ben));
    const allow = { ...asked, outcome: Outcome.OUTCOME_ALLOW, approvalDemand: undefined, approvalId };
    await house.decide({ ...allow, decisionId: house.newId('dec') });
    await house.reaches(approvalId, APPROVAL_STATE_USED);
    await house.decide({ ...allow, decisionId: house.newId('dec') });
    // The next request of the same agent comes behind both decisions.
    const next = await house.ask({ agentId: asked.agentId });
    expect(next.state).toBe(APPROVAL_STATE_PENDING);
    const facts = await house.factsOf(approvalId);
    expect(facts.filter((type) => type === 'ApprovalUsed')).toHaveLength(1);
  });

  it('that was used does not serve when the same action is asked for again', async () => {
    const first = await house.ask();
    await ben.approvals.vote(voteOf(first, ben));
    const { approvalId, sessionId, actionDigest, agentId } = first;
    await house.decide(house.decision({ agentId, approvalId, outcome: Outcome.OUTCOME_ALLOW }));
    await house.reaches(approvalId, APPROVAL_STATE_USED);
    const again = await house.ask({ sessionId, actionDigest });
    expect(again.approvalId).not.toBe(approvalId);
    expect(again.state).toBe(APPROVAL_STATE_PENDING);
  });

  it('is found by state, agent and session', async () => {
    const approval = await house.ask();
    const page = { pageSize: 0, pageToken: '' };
    const { agentId, sessionId, approvalId } = approval;
    const ids = async (filter: { state: ApprovalState; agentId: string; sessionId: string }) => {
      const { approvals } = await ben.approvals.listApprovals({ ...page, ...filter });
      return approvals.map((one) => one.approvalId);
    };
    expect(await ids({ state: APPROVAL_STATE_PENDING, agentId, sessionId: '' })).toEqual([approvalId]);
    expect(await ids({ state: 0, agentId: '', sessionId })).toEqual([approvalId]);
    expect(await ids({ state: APPROVAL_STATE_USED, agentId, sessionId })).toEqual([]);
  });
});
