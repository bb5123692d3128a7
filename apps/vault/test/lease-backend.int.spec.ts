import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LeaseState } from '@writ/contracts/writ/vault/v1/lease.js';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { refusalOf } from '@writ/service';
import { leasesOf } from './asking.js';
import { House, type TestAgent } from './house.js';
import { type SlowWire, slowWire } from './slow-wire.js';

let house: House;
let agent: TestAgent;
let leases: ReturnType<typeof leasesOf>;
let wire: SlowWire;
beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  leases = leasesOf(house);
  wire = await slowWire(house.erp.port);
});
afterAll(async () => {
  wire.close();
  await house.close();
});

describe('a database that is down', () => {
  it('leaves a lease shown as not revoked, with what failed, and it is revoked once the database is back', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await house.erp.crash();
    await house.end(session);
    const failed = LeaseState.LEASE_STATE_REVOCATION_FAILED;
    await house.until(async () => (await leases.get(leaseId)).revokeAttempts >= 2, 10_000);
    expect(await leases.get(leaseId)).toMatchObject({
      state: failed,
      revokeCause: RevokeCause.REVOKE_CAUSE_SESSION_ENDED,
      lastFailure: expect.stringContaining('DATABASE_UNAVAILABLE'),
    });
    const list = { pageSize: 0, pageToken: '', sessionId: '', state: failed };
    expect((await house.leases(house.admin).listLeases(list)).leases.map((lease) => lease.leaseId)).toEqual([
      leaseId,
    ]);
    await house.erp.startAgain();
    await house.until(() => leases.isRevoked(leaseId), 10_000);
    expect(await house.logins()).not.toContain(username);
    expect((await house.story(leaseId)).at(-1)).toBe('LeaseRevoked');
  });

  it('leads to no lease: what was recorded is abandoned', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    await house.erp.crash();
    const refused = await leases
      .issue(session, role.databaseRoleId, {}, 5_000)
      .catch((cause: unknown) => cause);
    expect(refusalOf(refused)?.reason).toBe('DATABASE_UNAVAILABLE');
    expect((await leases.ofSession(session))[0]).toMatchObject({
      revokeCause: RevokeCause.REVOKE_CAUSE_ABANDONED,
    });
    await house.erp.startAgain();
    await house.until(
      async () => (await leases.ofSession(session))[0]?.state === LeaseState.LEASE_STATE_REVOKED,
      10_000,
    );
  });

  it('leaves an answer to who revokes by hand: under way', async () => {
    const role = await house.databaseRole();
    const { leaseId } = await leases.issue(await house.session(agent), role.databaseRoleId);
    await house.erp.crash();
    const answered = await house.leases(house.admin).revokeLease({ leaseId, requestId: '' });
    expect([LeaseState.LEASE_STATE_REVOKING, LeaseState.LEASE_STATE_REVOCATION_FAILED]).toContain(
      answered.state,
    );
    await house.erp.startAgain();
    await house.until(() => leases.isRevoked(leaseId), 10_000);
  });

  it('does not forget over a restart of the vault', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await house.erp.crash();
    await house.end(session);
    await house.until(async () => (await leases.get(leaseId)).revokeAttempts >= 1, 10_000);
    await house.vault.stop();
    await house.erp.startAgain();
    await house.startVault();
    await house.until(() => leases.isRevoked(leaseId), 10_000);
    expect(await house.logins()).not.toContain(username);
  });
});

/** Its own database no longer knows the vault, and its connections are gone. */
async function cutOffVault(): Promise<void> {
  const { ownerUrl } = house.world;
  await house.sql('alter role writ_vault nologin', ownerUrl);
  await house.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'writ_vault'`,
    ownerUrl,
  );
}

async function letVaultIn(): Promise<void> {
  await house.sql('alter role writ_vault login', house.world.ownerUrl);
}

describe('a vault that stops', () => {
  it('between the record of a lease and its login leaves neither after its restart', async () => {
    const role = await house.databaseRole({
      url: house.adminUrl.replace(`:${house.erp.port}/`, `:${wire.port}/`),
    });
    const session = await house.session(agent);
    wire.hold();
    const answer = leases.issue(session, role.databaseRoleId, {}, 800).catch((cause: unknown) => cause);
    await house.until(async () => (await leases.ofSession(session))[0] !== undefined);
    // As in a crash: from here on this process changes nothing any more, whatever it still tries.
    await cutOffVault();
    expect(refusalOf(await answer)?.status).toBe('DEADLINE_EXCEEDED');
    await house.vault.stop();
    wire.letGo();
    await letVaultIn();
    await house.startVault();
    const lease = (await leases.ofSession(session))[0];
    expect(lease?.state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    await house.until(
      async () => (await leases.ofSession(session))[0]?.state === LeaseState.LEASE_STATE_REVOKED,
      15_000,
    );
    expect((await leases.ofSession(session))[0]?.revokeCause).toBe(RevokeCause.REVOKE_CAUSE_ABANDONED);
    expect(await house.logins()).not.toContain(lease?.username);
    const making = await house.sql('select lease_id from vault.lease_making', house.world.ownerUrl);
    expect(making).toEqual([]);
  });

  it('while leases expire ends them after its restart', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent, { expireSeconds: 2 });
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await house.vault.stop();
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(await house.logins()).toContain(username);
    await house.startVault();
    await house.until(() => leases.isRevoked(leaseId));
    expect(await house.logins()).not.toContain(username);
  });
});
