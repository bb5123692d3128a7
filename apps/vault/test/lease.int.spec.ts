import { generateKeyPairSync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { LeaseState } from '@writ/contracts/writ/vault/v1/lease.js';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { refusalOf } from '@writ/service';
import { claimsOf, leasesOf, leaseWish, reasonOf } from './asking.js';
import { House, type TestAgent } from './house.js';

let house: House;
let agent: TestAgent;
let leases: ReturnType<typeof leasesOf>;
beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  leases = leasesOf(house);
});
afterEach(() => {
  house.decisions.outcome = {};
  house.decisions.meanwhile = async () => undefined;
});
afterAll(() => house.close());

describe('a lease', () => {
  it('logs in, reads what its role may read and writes nothing', async () => {
    const role = await house.databaseRole();
    const issued = await leases.issue(await house.session(agent), role.databaseRoleId);
    expect(issued.lease).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE, agentId: agent.agentId });
    const pool = await house.logIn(issued);
    expect((await pool.query('select amount from invoice')).rows).toEqual([{ amount: '1200' }]);
    await expect(pool.query('update invoice set amount = 0')).rejects.toThrow('permission denied');
    await expect(pool.query('create role intruder')).rejects.toThrow('permission denied');
  });

  it('is decided by the policy-engine, for the agent’s own certificate and under an id of the vault', async () => {
    const role = await house.databaseRole();
    const requestId = house.world.clock.newEventId();
    const { lease } = await leases.issue(await house.session(agent), role.databaseRoleId, {
      ttlSeconds: 600,
      requestId,
    });
    const asked = house.decisions.asked.at(-1);
    expect(asked?.presentedCertificateSha256).toBe(agent.identity.current().certificateSha256);
    expect(asked?.action).toMatchObject({
      type: 'database',
      name: 'lease',
      location: role.displayName,
      identifier: role.databaseRoleId,
    });
    expect(asked?.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(asked?.requestId).not.toBe(requestId);
    expect(lease.decisionId).toMatch(/^dec_/);
  });

  it('is not made when the policy-engine says no, needs an approval, or does not answer', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const before = await house.logins();
    house.decisions.outcome = { outcome: Outcome.OUTCOME_DENY, reasonCode: 'MANDATE_ACTION' };
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('ACTION_DENIED');
    house.decisions.outcome = { outcome: Outcome.OUTCOME_APPROVAL_NEEDED };
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('APPROVAL_NEEDED');
    house.decisions.outcome = { outcome: Outcome.OUTCOME_UNSPECIFIED };
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('ACTION_DENIED');
    house.decisions.outcome = {};
    house.decisions.meanwhile = () => new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('POLICY_ENGINE_UNAVAILABLE');
    expect(await house.logins()).toEqual(before);
  });

  it('never outlives its session, however long is asked for, at issue and at renewal', async () => {
    const role = await house.databaseRole({ ttlSecondsMax: 86_400 });
    const session = await house.session(agent, { expireSeconds: 600 });
    const { lease, leaseId } = await leases.issue(session, role.databaseRoleId, { ttlSeconds: 60 });
    const client = house.leases(agent.identity);
    const renewed = await client.renewLease({
      token: session.token,
      leaseId,
      ttlSeconds: 86_400,
      requestId: '',
    });
    const lifeMs = (renewed.expireTime?.getTime() ?? 0) - (lease.issueTime?.getTime() ?? 0);
    expect(lifeMs).toBeGreaterThan(500_000);
    expect(lifeMs).toBeLessThanOrEqual(600_000);
    const [login] = await house.sql(
      `select rolvaliduntil from pg_authid where rolname = '${renewed.username}'`,
    );
    expect(login?.rolvaliduntil).toEqual(renewed.expireTime);
  });

  it('is never renewed beyond what its role allows in total, nor for another session', async () => {
    const role = await house.databaseRole({ ttlSecondsMax: 120 });
    const session = await house.session(agent);
    const { lease, leaseId } = await leases.issue(session, role.databaseRoleId, { ttlSeconds: 60 });
    const client = house.leases(agent.identity);
    const renewed = await client.renewLease({
      token: session.token,
      leaseId,
      ttlSeconds: 3_600,
      requestId: '',
    });
    expect((renewed.expireTime?.getTime() ?? 0) - (lease.issueTime?.getTime() ?? 0)).toBe(120_000);
    const { token } = await house.session(agent);
    expect(await reasonOf(client.renewLease({ token, leaseId, ttlSeconds: 60, requestId: '' }))).toBe(
      'LEASE_OF_ANOTHER_SESSION',
    );
  });

  it('ends at its time, and its open connections with it', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent, { expireSeconds: 2 });
    const issued = await leases.issue(session, role.databaseRoleId);
    const pool = await house.logIn(issued);
    await house.until(() => leases.isRevoked(issued.leaseId));
    expect((await leases.get(issued.leaseId)).revokeCause).toBe(RevokeCause.REVOKE_CAUSE_EXPIRED);
    await expect(pool.query('select 1')).rejects.toThrow();
    expect(await house.logins()).not.toContain(issued.username);
  });

  it('shows its password once: a retry is refused and leads to the lease, another request is a reuse', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const requestId = house.world.clock.newEventId();
    const { leaseId, password } = await leases.issue(session, role.databaseRoleId, { requestId });
    const retry = await leases
      .issue(session, role.databaseRoleId, { requestId })
      .catch((cause: Error) => cause);
    expect(refusalOf(retry)?.reason).toBe('LEASE_ALREADY_ISSUED');
    expect(refusalOf(retry)?.message).toContain(leaseId);
    expect(refusalOf(retry)?.message).not.toContain(password);
    expect(await reasonOf(leases.issue(session, role.databaseRoleId, { requestId, ttlSeconds: 60 }))).toBe(
      'REQUEST_ID_REUSED',
    );
    expect(await leases.ofSession(session)).toHaveLength(1);
  });

  it('may be asked for by an enforcement point that shows the agent’s certificate', async () => {
    const role = await house.databaseRole();
    const { token } = await house.session(agent);
    const point = house.leases(await house.world.identity({ kind: 'enforcement-point', id: 'erp' }));
    const presented = agent.identity.current().certificateSha256;
    const { username } = await point.issueLease(
      leaseWish(token, role.databaseRoleId, { presentedCertificateSha256: presented }),
    );
    expect(await house.logins()).toContain(username);
    expect(await reasonOf(point.issueLease(leaseWish(token, role.databaseRoleId)))).toBe('INVALID_ARGUMENT');
    const other = house.admin.current().certificateSha256;
    expect(
      await reasonOf(
        point.issueLease(leaseWish(token, role.databaseRoleId, { presentedCertificateSha256: other })),
      ),
    ).toBe('TOKEN_BINDING_MISMATCH');
  });

  it('is nobody else’s: another agent can neither see, list, renew nor end it', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId } = await leases.issue(session, role.databaseRoleId);
    const stranger = await house.agent();
    const client = house.leases(stranger.identity);
    const { token } = await house.session(stranger);
    expect(await reasonOf(client.getLease({ leaseId }))).toBe('LEASE_UNKNOWN');
    expect(await reasonOf(client.revokeLease({ leaseId, requestId: '' }))).toBe('LEASE_UNKNOWN');
    expect(await reasonOf(client.renewLease({ token, leaseId, ttlSeconds: 60, requestId: '' }))).toBe(
      'LEASE_UNKNOWN',
    );
    const list = leases.list(session.sessionId);
    expect((await client.listLeases(list)).leases).toEqual([]);
    expect((await house.leases(agent.identity).listLeases(list)).leases).toHaveLength(1);
  });
});

describe('a token', () => {
  it('is refused when it is forged, expired, for somebody else, of another agent, or no token', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const seconds = Math.floor(house.world.clock.now().getTime() / 1000);
    const expired = await house.session(agent, { claims: { iat: seconds - 200, exp: seconds - 100 } });
    const elsewhere = await house.session(agent, { claims: { aud: ['elsewhere'] } });
    const others = await house.session(await house.agent());
    const claims = claimsOf(session.token);
    const forged = house.token(claims, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    const before = house.decisions.asked.length;
    const use = (token: string) => reasonOf(leases.issue({ ...session, token }, role.databaseRoleId));
    expect(await use(forged)).toBe('TOKEN_FORGED');
    expect(await use(expired.token)).toBe('TOKEN_EXPIRED');
    expect(await use(elsewhere.token)).toBe('TOKEN_WRONG_AUDIENCE');
    expect(await use(others.token)).toBe('TOKEN_BINDING_MISMATCH');
    expect(await use('a.b.c')).toBe('TOKEN_MALFORMED');
    expect(await use('x'.repeat(20_000))).toBe('INVALID_ARGUMENT');
    const stolen = {
      ...claims,
      client_id: others.agent.agentId,
      act: { ...claims.act, sub: others.agent.agentId },
    };
    expect(await use(house.token(stolen))).toBe('TOKEN_NOT_YOURS');
    expect(await use(house.token({ ...claims, admin: true }))).toBe('TOKEN_CLAIMS_INVALID');
    expect(await use(house.token({ ...claims, min_seq: 10_000 }))).toBe('LOCKS_STALE');
    expect(house.decisions.asked.length).toBe(before);
  });

  it('of a session that is not known, or behind facts that are not, is refused as stale', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const claims = claimsOf(session.token);
    const unknown = house.token({ ...claims, sid: house.world.clock.newId('ses') });
    expect(await reasonOf(leases.issue({ ...session, token: unknown }, role.databaseRoleId))).toBe(
      'FACTS_STALE',
    );
    const atLeast = [{ source: 'session-broker', pos: 1_000_000n }];
    expect(await reasonOf(leases.issue(session, role.databaseRoleId, { atLeast }))).toBe('FACTS_STALE');
    await leases.issue(session, role.databaseRoleId, { atLeast: [{ source: 'session-broker', pos: 1n }] });
  });
});
