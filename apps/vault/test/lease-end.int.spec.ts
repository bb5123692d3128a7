import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LeaseState } from '@writ/contracts/writ/vault/v1/lease.js';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { claimsOf, leasesOf, reasonOf } from './asking.js';
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
  house.decisions.meanwhile = async () => undefined;
  house.watch.silent = false;
});
afterAll(() => house.close());

describe('the end of a session', () => {
  it('ends every lease of it and no other', async () => {
    const role = await house.databaseRole();
    const [session, other] = [await house.session(agent), await house.session(agent)];
    const asked = [
      await leases.issue(session, role.databaseRoleId),
      await leases.issue(session, role.databaseRoleId),
    ];
    const kept = await leases.issue(other, role.databaseRoleId);
    const pool = await house.logIn(asked[0] as { username: string; password: string });
    await house.end(session);
    for (const { leaseId, username } of asked) {
      await house.until(() => leases.isRevoked(leaseId));
      expect(await house.logins()).not.toContain(username);
      expect(await house.story(leaseId)).toEqual(['LeaseIssued', 'LeaseRevocationStarted', 'LeaseRevoked']);
    }
    expect((await leases.get(asked[0]?.leaseId ?? '')).revokeCause).toBe(
      RevokeCause.REVOKE_CAUSE_SESSION_ENDED,
    );
    await expect(pool.query('select 1')).rejects.toThrow();
    expect((await leases.get(kept.leaseId)).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    await house.logIn(kept);
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('SESSION_ENDED');
  });

  it('leaves no lease behind that was asked for at the same moment', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const asked = Array.from({ length: 12 }, () => reasonOf(leases.issue(session, role.databaseRoleId)));
    await house.end(session);
    const reasons = new Set(await Promise.all(asked));
    for (const reason of reasons)
      expect(['not refused', 'SESSION_ENDED', 'LEASE_NOT_ACTIVE']).toContain(reason);
    await house.until(async () =>
      (await leases.ofSession(session)).every(({ state }) => state === LeaseState.LEASE_STATE_REVOKED),
    );
    const logins = await house.logins();
    for (const { username } of await leases.ofSession(session)) expect(logins).not.toContain(username);
  });
});

describe('a stop order', () => {
  const lockOn = (targetKind: WatchTargetKind, targetId: string) =>
    house.watch.place({ targetKind, targetId }, house.world.clock.now());

  it('on the agent ends its lease at once, and its connections, and none is issued any more', async () => {
    const role = await house.databaseRole();
    const locked = await house.agent();
    const session = await house.session(locked);
    const issued = await leases.issue(session, role.databaseRoleId);
    const pool = await house.logIn(issued);
    lockOn(WatchTargetKind.WATCH_TARGET_KIND_AGENT, locked.agentId);
    const tookMs = await house.until(() => leases.isRevoked(issued.leaseId));
    console.info(`lock to revoked lease: ${Math.round(tookMs)} ms`);
    expect((await leases.get(issued.leaseId)).revokeCause).toBe(RevokeCause.REVOKE_CAUSE_LOCKED);
    await expect(pool.query('select 1')).rejects.toThrow();
    await expect(house.logIn(issued)).rejects.toThrow('authentication failed');
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('LOCKED');
  });

  it.each(['session', 'agent above', 'owner', 'blueprint', 'tool', 'mandate', 'delegation'])(
    'on the %s ends the lease',
    async (what) => {
      const role = await house.databaseRole();
      const blueprintId = house.world.clock.newId('bpr');
      const owner = `team ${blueprintId}`;
      const [boss, sub] = [await house.agent(), await house.agent({ owner, blueprintId })];
      const session = await house.session(sub, { above: [boss] });
      const claims = claimsOf(session.token);
      const { leaseId } = await leases.issue(session, role.databaseRoleId);
      const bystander = await leases.issue(
        await house.session(agent),
        (await house.databaseRole()).databaseRoleId,
      );
      const target: Record<string, [WatchTargetKind, string]> = {
        session: [WatchTargetKind.WATCH_TARGET_KIND_SESSION, session.sessionId],
        'agent above': [WatchTargetKind.WATCH_TARGET_KIND_AGENT, boss.agentId],
        owner: [WatchTargetKind.WATCH_TARGET_KIND_OWNER, owner],
        blueprint: [WatchTargetKind.WATCH_TARGET_KIND_BLUEPRINT, blueprintId],
        tool: [WatchTargetKind.WATCH_TARGET_KIND_TOOL, role.displayName],
        mandate: [WatchTargetKind.WATCH_TARGET_KIND_MANDATE, claims.mandate_id],
        delegation: [WatchTargetKind.WATCH_TARGET_KIND_DELEGATION, claims.delegation_ids[0]],
      };
      lockOn(...(target[what] as [WatchTargetKind, string]));
      await house.until(() => leases.isRevoked(leaseId));
      expect((await leases.get(bystander.leaseId)).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    },
  );

  it('that comes while the decision is made lets no lease through', async () => {
    const role = await house.databaseRole();
    const locked = await house.agent();
    const session = await house.session(locked);
    const before = await house.logins();
    house.decisions.meanwhile = async () => {
      lockOn(WatchTargetKind.WATCH_TARGET_KIND_AGENT, locked.agentId);
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('LOCKED');
    house.decisions.meanwhile = async () => undefined;
    await house.until(async () => (await house.logins()).every((login) => before.includes(login)));
  });

  it('cannot be missed: when the feed is silent for three seconds nothing is issued, and then again', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    house.watch.silent = true;
    await house.until(
      async () => (await reasonOf(leases.issue(session, role.databaseRoleId))) === 'LOCKS_STALE',
      6_000,
    );
    house.watch.silent = false;
    await house.until(
      async () => (await reasonOf(leases.issue(session, role.databaseRoleId))) === 'not refused',
      8_000,
    );
  });
});
