import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LeaseState } from '@writ/contracts/writ/vault/v1/lease.js';
import { leasesOf } from './asking.js';
import { ADMIN_PASSWORD, House, type TestAgent } from './house.js';
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

type Role = Awaited<ReturnType<House['databaseRole']>>;
type Url = { value: string };

const addVersion = ({ secretId }: Role, { value }: Url) =>
  house
    .secrets(house.admin)
    .addSecretVersion({ secretId, value: Buffer.from(value), etag: '', requestId: '' });
const loseVersion = ({ secretId }: Role, version: number) =>
  house.secrets(house.admin).destroySecretVersion({ secretId, version, etag: '', requestId: '' });
const elsewhere = (): Url => ({ value: house.world.ownerUrl });

describe('an administrator’s secret that gets a version for another server', () => {
  it('does not let a lease count as revoked while its login lives on the old one', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await addVersion(role, elsewhere());
    await house.end(session);
    await house.until(() => leases.isRevoked(leaseId));
    expect(await house.logins()).not.toContain(username);
  });

  it('renews a login where it was made', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId, { ttlSeconds: 60 });
    await addVersion(role, elsewhere());
    const renew = { token: session.token, leaseId, ttlSeconds: 600, requestId: '' };
    const renewed = await house.leases(agent.identity).renewLease(renew);
    const [login] = await house.sql(`select rolvaliduntil from pg_authid where rolname = '${username}'`);
    expect(login?.rolvaliduntil).toEqual(renewed.expireTime);
  });

  it('leaves a lease shown as not revoked when the old server does not do it', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await addVersion(role, elsewhere());
    await house.erp.crash();
    await house.end(session);
    await house.until(async () => (await leases.get(leaseId)).revokeAttempts >= 1, 10_000);
    expect((await leases.get(leaseId)).state).toBe(LeaseState.LEASE_STATE_REVOCATION_FAILED);
    await house.erp.startAgain();
    await house.until(() => leases.isRevoked(leaseId), 10_000);
    expect(await house.logins()).not.toContain(username);
  });

  it('leaves a lease shown as not revoked when the version of the old server is destroyed', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId, username } = await leases.issue(session, role.databaseRoleId);
    await addVersion(role, elsewhere());
    await loseVersion(role, 1);
    await house.end(session);
    await house.until(async () => (await leases.get(leaseId)).revokeAttempts >= 1, 10_000);
    expect(await leases.get(leaseId)).toMatchObject({
      state: LeaseState.LEASE_STATE_REVOCATION_FAILED,
      lastFailure: expect.stringContaining('SECRET_VERSION_DESTROYED'),
    });
    expect(await house.logins()).toContain(username);
    await addVersion(role, { value: house.adminUrl });
    await house.until(() => leases.isRevoked(leaseId), 10_000);
    expect(await house.logins()).not.toContain(username);
  });
});

describe('an administrator’s password that was rotated', () => {
  it('revokes by the new one, also when the old version is destroyed', async () => {
    await house.sql(
      `create role erp_rotated login createrole password '${ADMIN_PASSWORD}';
       grant pg_signal_backend to erp_rotated; grant invoice_reader to erp_rotated with admin option`,
    );
    const url = house.adminUrl.replace('erp_admin', 'erp_rotated');
    const role = await house.databaseRole({ url });
    const session = await house.session(agent);
    const asked = [
      await leases.issue(session, role.databaseRoleId),
      await leases.issue(session, role.databaseRoleId),
    ];
    await house.sql(`alter role erp_rotated password '${ADMIN_PASSWORD}2'`);
    await addVersion(role, { value: url.replace(ADMIN_PASSWORD, `${ADMIN_PASSWORD}2`) });
    await loseVersion(role, 1);
    await house.end(session);
    for (const { leaseId, username } of asked) {
      await house.until(() => leases.isRevoked(leaseId));
      expect(await house.logins()).not.toContain(username);
    }
  });
});

describe('a lease that is being made', () => {
  it('is not given up while its database may still be making it', async () => {
    const url = house.adminUrl.replace(`:${house.erp.port}/`, `:${wire.port}/`);
    const role = await house.databaseRole({ url });
    const session = await house.session(agent);
    wire.hold();
    const asked = leases.issue(session, role.databaseRoleId, {}, 1_000).catch(() => undefined);
    const making = () =>
      house.sql(
        `select extract(epoch from give_up_time - issue_time)::float as seconds from vault.lease_making
           join vault_view.lease using (lease_id) where session_id = '${session.sessionId}'`,
        house.world.ownerUrl,
      );
    await house.until(async () => (await making()).length === 1);
    // The caller's deadline, then a connection, the look at its roles and the login, each at its slowest.
    expect((await making())[0]?.seconds).toBeGreaterThanOrEqual(1 + 2 + 6 + 6 - 0.5);
    wire.letGo();
    await asked;
  });
});
