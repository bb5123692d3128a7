import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import type pg from 'pg';
import { House, type OpenedSession, reasonOf, type TestAgent, until } from './house.js';

let house: House;
let sql: pg.Pool;

beforeAll(async () => {
  house = await House.build();
  sql = house.sql(4);
});
afterAll(() => house?.stop());

/** Holds what `statement` locks while `during` runs. */
async function holding<T>(statement: string, params: unknown[], during: () => Promise<T>): Promise<T> {
  const client = await sql.connect();
  try {
    await client.query('begin');
    await client.query(statement, params);
    return await during();
  } finally {
    await client.query('rollback');
    client.release();
  }
}

const suspend = (agentId: string) =>
  house.agents().suspendAgent({ agentId, reason: 'odd', etag: '', requestId: '' });
const reinstate = (agentId: string) => house.agents().reinstateAgent({ agentId, etag: '', requestId: '' });
const ends = ({ sessionId }: OpenedSession, cause: SessionEndCause) =>
  until(async () => (await house.endCause(sessionId)) === cause, `the end of ${sessionId} for ${cause}`);
const knownSuspended = async ({ id }: TestAgent) => {
  const { rows } = await sql.query('select suspended from session_broker.party_agent where agent_id = $1', [
    id,
  ]);
  return rows[0]?.suspended === true;
};
/** Commands that wait for the head of the facts or for a request id, seen from outside. */
const waiting = async (count: number) => {
  const { rows } = await sql.query(
    `select count(*)::int as count from pg_stat_activity where usename = 'writ_session_broker' and wait_event_type = 'Lock'`,
  );
  return rows[0].count >= count;
};
/** Keeps the broker from reacting to its own facts. */
const deafToItself = <T>(during: () => Promise<T>) =>
  holding(
    `select from session_broker_view.inbox_received
     where grp = 'session-broker.session' and source = 'session-broker' for update`,
    [],
    during,
  );
const placed = (targetId: string) => house.lock(LockTargetKind.LOCK_TARGET_KIND_AGENT, targetId);
const lift = (lockId: string) =>
  house.locks().liftLock({ lockId, reason: 'checked', etag: '', requestId: '' });

describe('who is stopped', () => {
  it('loses the session, and gets another only after reinstatement', async () => {
    const session = await house.session();
    const { agent } = session;
    const { mandateId } = session.session;
    await suspend(agent.id);
    await ends(session, SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED);
    expect(await reasonOf(house.open(agent, { mandateId }))).toBe('AGENT_NOT_ACTIVE');
    await reinstate(agent.id);
    await house.open(agent, { mandateId });
    expect(await house.endCause(session.sessionId)).toBe(SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED);
  });

  it('by a new key loses what was opened with the old one, and opens another with the new one', async () => {
    const session = await house.session();
    const { agent } = session;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
    await house.agents().rotateAgentKey({ agentId: agent.id, jwk, etag: '', requestId: '' });
    await ends(session, SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED);
    const { mandateId } = session.session;
    expect(await reasonOf(house.open(agent, { mandateId }))).toBe('ASSERTION_INVALID');
    await house.open({ ...agent, signingKey: privateKey }, { mandateId });
  });

  it('also stops the agents it delegated to', async () => {
    const root = await house.session();
    const second = await house.agent();
    const { delegationId } = await house.delegate(root, second);
    const below = await house.open(second, { delegationId });
    await suspend(root.agent.id);
    await ends(below, SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED);
    expect(await reasonOf(house.open(second, { delegationId }))).toBe('AGENT_NOT_ACTIVE');
  });

  it('stops everything below when it is the person at the root who leaves', async () => {
    const ben = await house.person([Role.ROLE_SPONSOR]);
    const agent = await house.agent();
    const { mandateId } = await house.mandate(agent, {}, ben);
    const session = await house.open(agent, { mandateId });
    await house.people(house.admin.identity).markPersonLeft({ personId: ben.id, etag: '', requestId: '' });
    await ends(session, SessionEndCause.SESSION_END_CAUSE_PERSON_LEFT);
    expect(await reasonOf(house.open(agent, { mandateId }))).toBe('PERSON_NOT_ACTIVE');
  });
});

describe('a session that is opened at the very moment of a suspension', () => {
  it('is refused when the suspension is known before it is recorded', async () => {
    const agent = await house.agent();
    const { mandateId } = await house.mandate(agent);
    const requestId = randomUUID();
    const { outcome } = await holding(
      `insert into session_broker.command (caller, key, req_hash, at) values ($1, $2, 'x', now())`,
      [`agent/${agent.id}`, requestId],
      async () => {
        // It has looked at the agent and waits for its request id; then the suspension arrives.
        const opening = reasonOf(house.open(agent, { mandateId, requestId }));
        await until(() => waiting(1), 'the command to wait');
        await suspend(agent.id);
        await until(() => knownSuspended(agent), 'the suspension to be known');
        return { outcome: opening };
      },
    );
    expect(await outcome).toBe('AGENT_NOT_ACTIVE');
    const { rows } = await sql.query(`select from session_broker.event where part_key = $1`, [agent.id]);
    expect(rows).toHaveLength(1);
  });

  it('is ended when it is recorded before the suspension is known, and stays so after reinstatement', async () => {
    const agent = await house.agent();
    const { mandateId } = await house.mandate(agent);
    const { opening } = await holding('select from session_broker.head for update', [], async () => {
      const opening = house.open(agent, { mandateId });
      await until(() => waiting(1), 'the command to wait for its turn');
      await suspend(agent.id);
      await until(() => waiting(2), 'the reaction to wait behind it');
      return { opening };
    });
    const session = await opening;
    await ends(session, SessionEndCause.SESSION_END_CAUSE_AGENT_STOPPED);
    await reinstate(agent.id);
    expect(await house.endCause(session.sessionId)).not.toBe(0);
  });
});

describe('a delegation that is made at the very moment at which its authority ends', () => {
  it.each<[string, (root: OpenedSession) => Promise<unknown>]>([
    ['its session', ({ sessionId }) => house.sessions().endSession({ sessionId, requestId: '' })],
    [
      'its mandate',
      ({ session: { mandateId } }) =>
        house
          .mandates(house.ana.identity)
          .revokeMandate({ mandateId, reason: 'over', etag: '', requestId: '' }),
    ],
    ['an agent that is locked', ({ agent }) => placed(agent.id)],
  ])('is not made: %s', async (_, end) => {
    const root = await house.session();
    const requestId = randomUUID();
    const { outcome } = await holding(
      `insert into session_broker.command (caller, key, req_hash, at) values ($1, $2, 'x', now())`,
      [`agent/${root.agent.id}`, requestId],
      async () => {
        // It has looked at the session and waits for its request id; then the end arrives.
        const delegating = reasonOf(house.delegate(root, await house.agent(), { requestId }));
        await until(() => waiting(1), 'the command to wait');
        await end(root);
        return { outcome: delegating };
      },
    );
    expect(await outcome).toBe('AUTHORITY_ENDED');
    const made = `select from session_broker.event where type = 'DelegationMade' and part_key = $1`;
    expect((await sql.query(made, [root.agent.id])).rowCount).toBe(0);
  });
});

describe('a lock', () => {
  it('ends the sessions of its target within some tens of milliseconds', async () => {
    const tookMs: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const session = await house.session();
      const { lock } = await placed(session.agent.id);
      tookMs.push(await ends(session, SessionEndCause.SESSION_END_CAUSE_LOCKED));
      expect(await reasonOf(house.open(session.agent, { mandateId: session.session.mandateId }))).toBe(
        'LOCKED',
      );
      await lift(lock.lockId);
    }
    // Its median; the bound leaves room for a busy machine and is far below the sweep of one second.
    expect(tookMs.sort((a, b) => a - b)[2]).toBeLessThan(400);
  });

  it('that was lifted before anybody reacted does not end what was opened since', async () => {
    const before = await house.session();
    const { agent } = before;
    const { mandateId } = before.session;
    const since = await deafToItself(async () => {
      const { lock } = await placed(agent.id);
      await lift(lock.lockId);
      return house.open(agent, { mandateId });
    });
    await ends(before, SessionEndCause.SESSION_END_CAUSE_LOCKED);
    expect(await house.endCause(since.sessionId)).toBe(0);
  });

  it.each([
    ['an owner', LockTargetKind.LOCK_TARGET_KIND_OWNER, () => 'treasury'],
    ['a person', LockTargetKind.LOCK_TARGET_KIND_PERSON, () => house.ana.id],
  ])('on %s stops whoever it concerns, until it is lifted', async (_, kind, target) => {
    const agent = await house.agent({ owner: 'treasury' });
    const { mandateId } = await house.mandate(agent);
    const session = await house.open(agent, { mandateId });
    const { lock } = await house.lock(kind, target());
    await ends(session, SessionEndCause.SESSION_END_CAUSE_LOCKED);
    expect(await reasonOf(house.open(agent, { mandateId }))).toBe('LOCKED');
    await lift(lock.lockId);
    await house.open(agent, { mandateId });
  });

  it('on everything ends all sessions in small transactions and keeps no other lock waiting', async () => {
    const agent = await house.agent();
    const { mandateId } = await house.mandate(agent);
    const opened = [];
    for (let n = 0; n < 120; n += 1) opened.push(await house.open(agent, { mandateId }));
    const { lock } = await house.lock(LockTargetKind.LOCK_TARGET_KIND_EVERYTHING, '');
    const startMs = performance.now();
    const next = await placed(agent.id);
    expect(performance.now() - startMs).toBeLessThan(1_000);
    const ids = opened.map(({ sessionId }) => `session-${sessionId}`);
    const endsOf = `select xmin::text as tx, count(*)::int as count from session_broker.event
      where type = 'SessionEnded' and stream_id = any($1) group by 1`;
    const counts = async () => (await sql.query<{ count: number }>(endsOf, [ids])).rows;
    await until(
      async () => (await counts()).reduce((sum, { count }) => sum + count, 0) === ids.length,
      'all sessions to end',
    );
    expect(Math.max(...(await counts()).map(({ count }) => count))).toBeLessThanOrEqual(50);
    for (const { lockId } of [lock, next.lock]) await lift(lockId);
    expect((await sql.query('select from session_broker.session_due')).rowCount).toBe(0);
  });

  it('is placed once for a request that is sent twice, and shows how it stands', async () => {
    const agent = await house.agent();
    const kind = LockTargetKind.LOCK_TARGET_KIND_AGENT;
    const request = { targetKind: kind, targetId: agent.id, reason: 'odd', expireTime: undefined };
    const placeTwice = { ...request, requestId: randomUUID() };
    const [one, two] = [await house.locks().placeLock(placeTwice), await house.locks().placeLock(placeTwice)];
    expect(two.lock).toEqual(one.lock);
    const lockId = one.lock?.lockId ?? '';
    expect((await lift(lockId)).seq).toBe(one.lock?.seq);
    expect(await reasonOf(lift('lck_01K41M7JG00000000000000ABC'))).toBe('LOCK_UNKNOWN');
  });
});
