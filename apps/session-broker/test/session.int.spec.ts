import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { SessionState } from '@writ/contracts/writ/session/v1/session.js';
import {
  AUDIENCE,
  assertionOf,
  claimsOf,
  fieldsOf,
  House,
  ISSUER,
  inMinutes,
  reasonOf,
  type TestAgent,
  until,
} from './house.js';

let house: House;
let agent: TestAgent;
let mandateId: string;

beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  ({ mandateId } = await house.mandate(agent));
});
afterAll(() => house?.stop());

const open = (assertion: string, by = agent) =>
  house.sessions(by.identity).openSession(house.openRequest(by, { mandateId, assertion }));

describe('opening a session', () => {
  it('gives a token bound to the agent’s certificate, for five minutes at most', async () => {
    const { session, token, sessionId } = await house.open(agent, { mandateId });
    expect(session).toMatchObject({
      name: `agents/${agent.id}/sessions/${sessionId}`,
      agentId: agent.id,
      personId: house.ana.id,
      mandateId,
      purpose: 'September supplier run',
      state: SessionState.SESSION_STATE_OPEN,
    });
    const claims = claimsOf(token);
    expect(claims).toMatchObject({ iss: ISSUER, aud: [AUDIENCE], sub: house.ana.id, sid: sessionId });
    expect(claims.cnf['x5t#S256']).toBe(agent.identity.current().certificateSha256);
    expect(claims.act.sub).toBe(agent.id);
    expect(claims.exp - claims.iat).toBeLessThanOrEqual(300);
  });

  it('is refused to an agent whose sponsor has not attested it, though it may be given a mandate', async () => {
    const fresh = await house.agent({ attested: false });
    const { mandateId: given } = await house.mandate(fresh);
    expect(await reasonOf(house.open(fresh, { mandateId: given }))).toBe('AGENT_NOT_ACTIVE');
  });

  it('does not keep a mandate waiting for an attestation that nobody needs for it', async () => {
    const fresh = await house.agent({ attested: false });
    await house.mandate(fresh);
    const startMs = performance.now();
    await house.mandate(fresh);
    expect(performance.now() - startMs).toBeLessThan(300);
  });

  it('is refused under what another agent was given', async () => {
    const other = await house.agent();
    expect(await reasonOf(house.open(other, { mandateId }))).toBe('NOT_THE_HOLDER');
  });

  it('is refused under a mandate that nobody granted', async () => {
    const unknown = 'mdt_01K41M7JG00000000000000MDT';
    expect(await reasonOf(house.open(agent, { mandateId: unknown }))).toBe('AUTHORITY_UNKNOWN');
  });

  it('answers a retry of the same request with the same session and token', async () => {
    const request = house.openRequest(agent, { mandateId, requestId: randomUUID() });
    const sessions = house.sessions(agent.identity);
    const [first, second] = [await sessions.openSession(request), await sessions.openSession(request)];
    expect(second.session?.sessionId).toBe(first.session?.sessionId);
    expect(claimsOf(second.accessToken).jti).toBe(claimsOf(first.accessToken).jti);
    expect(second.position).toEqual(first.position);
    const changed = sessions.openSession({ ...request, task: 'something else' });
    expect(await reasonOf(changed)).toBe('REQUEST_ID_REUSED');
    await sessions.endSession({ sessionId: first.session?.sessionId ?? '', requestId: '' });
    expect(await reasonOf(sessions.openSession(request))).toBe('SESSION_ENDED');
  });

  it('names every bad field', async () => {
    const request = {
      assertion: '',
      mandateId: 'agt_1',
      delegationId: '',
      task: '\u202Epay',
      requestId: 'x',
    };
    const sessions = house.sessions(agent.identity);
    expect(await fieldsOf(sessions.openSession({ ...request, requestId: '' }))).toEqual([
      'assertion',
      'mandate_id',
      'task',
    ]);
    expect(await fieldsOf(sessions.openSession(request))).toEqual(['request_id']);
    const both = { ...request, requestId: '', mandateId, delegationId: 'dlg_01K41M7JG00000000000000DLG' };
    expect(await fieldsOf(sessions.openSession(both))).toContain('mandate_id');
  });

  it('refuses a message of more than 1 MiB', async () => {
    const task = 'x'.repeat(1024 * 1024);
    expect(await reasonOf(open(task))).toBe('RESOURCE_EXHAUSTED');
  });
});

describe('a fresh token', () => {
  const issue = (sessionId: string, by = agent, requestId = '') =>
    house.sessions(by.identity).issueToken({ assertion: assertionOf(by), sessionId, requestId });

  it('is given while the session lives, again for a retry, and to its own agent only', async () => {
    const { sessionId, token } = await house.open(agent, { mandateId });
    expect(claimsOf((await issue(sessionId)).accessToken).jti).not.toBe(claimsOf(token).jti);
    const request = { assertion: assertionOf(agent), sessionId, requestId: randomUUID() };
    const sessions = house.sessions(agent.identity);
    const [one, two] = [await sessions.issueToken(request), await sessions.issueToken(request)];
    expect(claimsOf(two.accessToken).jti).toBe(claimsOf(one.accessToken).jti);
    expect(await reasonOf(issue(sessionId, await house.agent()))).toBe('NOT_YOUR_SESSION');
  });

  it('is refused while a lock is in force on the session itself', async () => {
    const { sessionId } = await house.open(agent, { mandateId });
    const sql = house.sql();
    // Without the reaction that would end it, so that the lock alone stands in the way.
    const client = await sql.connect();
    await client.query('begin');
    await client.query(
      `select from session_broker_view.inbox_received where grp = 'session-broker.session' for update`,
    );
    await house.lock(LockTargetKind.LOCK_TARGET_KIND_SESSION, sessionId);
    expect(await reasonOf(issue(sessionId))).toBe('LOCKED');
    await client.query('rollback');
    client.release();
    await until(async () => (await house.endCause(sessionId)) !== 0, 'the session to end');
    expect(await reasonOf(issue(sessionId))).toBe('SESSION_ENDED');
  });

  it('is refused to an agent that may not act, also where the session has not been ended yet', async () => {
    const suspended = await house.session();
    const sql = house.sql();
    await sql.query('update session_broker.party_agent set suspended = true where agent_id = $1', [
      suspended.agent.id,
    ]);
    expect(await reasonOf(issue(suspended.sessionId, suspended.agent))).toBe('AGENT_NOT_ACTIVE');
  });

  it('is refused in the last second of a session', async () => {
    const expireTime = new Date(Math.floor(Date.now() / 1000) * 1000 + 2_500);
    const short = await house.session({ expireTime });
    const lastSecond = Math.floor(expireTime.getTime() / 1000) * 1000;
    await until(() => Date.now() >= lastSecond + 20, 'the last second');
    expect(await reasonOf(issue(short.sessionId, short.agent))).toMatch(/SESSION_EXPIRED|AUTHORITY_ENDED/);
    await until(async () => (await house.endCause(short.sessionId)) !== 0, 'the session to expire');
  });
});

describe('sessions of others', () => {
  it('are out of an agent’s sight, and out of a sponsor’s who is not at their root', async () => {
    const { sessionId, agent: other } = await house.session();
    const ben = await house.person([Role.ROLE_SPONSOR]);
    for (const by of [agent.identity, ben.identity])
      expect(await reasonOf(house.sessions(by).getSession({ sessionId }))).toBe('SESSION_UNKNOWN');
    for (const by of [other.identity, house.ana.identity, house.admin.identity])
      expect((await house.sessions(by).getSession({ sessionId })).sessionId).toBe(sessionId);
    const request = { pageSize: 0, pageToken: '', agentId: '', mandateId: '', state: 0 };
    const listed = async (by: typeof agent.identity) =>
      (await house.sessions(by).listSessions(request)).sessions.map(({ agentId }) => agentId);
    expect(new Set(await listed(other.identity))).toEqual(new Set([other.id]));
    expect(await listed(ben.identity)).toEqual([]);
    expect(await listed(house.ana.identity)).toContain(agent.id);
  });

  it('are ended by their person, and by nobody who has no part in them', async () => {
    const { sessionId } = await house.session();
    const ben = await house.person([Role.ROLE_SPONSOR]);
    const end = (by: typeof agent.identity) => house.sessions(by).endSession({ sessionId, requestId: '' });
    expect(await reasonOf(end(ben.identity))).toBe('NOT_YOUR_SESSION');
    expect(await reasonOf(end(agent.identity))).toBe('NOT_YOUR_SESSION');
    expect((await end(house.ana.identity)).state).toBe(SessionState.SESSION_STATE_ENDED);
    const { rows } = await house
      .sql()
      .query(`select distinct part_key from session_broker.event where stream_id = $1`, [
        `session-${sessionId}`,
      ]);
    // One key for all facts of a session: on the bus its end never overtakes its opening.
    expect(rows).toHaveLength(1);
  });

  it('are listed page by page in a stable order, by a token that fits no other list', async () => {
    const worker = await house.agent();
    const { mandateId: its } = await house.mandate(worker);
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await house.open(worker, { mandateId: its })).sessionId);
    const request = { pageSize: 2, pageToken: '', agentId: worker.id, mandateId: '', state: 0 };
    const seen: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await house.sessions().listSessions({ ...request, pageToken });
      seen.push(...page.sessions.map(({ sessionId }) => sessionId));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(seen).toEqual(made);
    const { nextPageToken: pageToken } = await house.sessions().listSessions(request);
    const elsewhere = house.sessions().listSessions({ ...request, agentId: '', pageToken });
    expect(await fieldsOf(elsewhere)).toEqual(['page_token']);
  });
});

describe('who has no business here', () => {
  it('is refused by the access table', async () => {
    const approver = await house.person([Role.ROLE_APPROVER]);
    const list = { pageSize: 0, pageToken: '', agentId: '', mandateId: '', state: 0 };
    const refused = [
      house.sessions(house.ana.identity).openSession(house.openRequest(agent, { mandateId })),
      house.sessions(approver.identity).listSessions(list),
      house.mandates(approver.identity).listMandates({ ...list, personId: '' }),
      house.mandates(agent.identity).revokeMandate({ mandateId, reason: 'x', etag: '', requestId: '' }),
      house.locks(house.ana.identity).listLocks({ pageSize: 0, pageToken: '', state: 0 }),
    ];
    for (const call of refused) expect(await reasonOf(call)).toBe('CALLER_NOT_ALLOWED');
  });

  it('sees no mandate of others', async () => {
    const ben = await house.person([Role.ROLE_SPONSOR]);
    const bens = await house.mandate(agent, { expireTime: inMinutes(5) }, ben);
    expect(await reasonOf(house.mandates(ben.identity).getMandate({ mandateId }))).toBe('MANDATE_UNKNOWN');
    const request = { pageSize: 0, pageToken: '', agentId: '', personId: '' };
    const { mandates } = await house.mandates(ben.identity).listMandates(request);
    expect(mandates.map((one) => one.mandateId)).toEqual([bens.mandateId]);
  });
});
