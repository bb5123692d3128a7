import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

/** A row without a fact, as a damaged view would have it: every command to this lease fails. */
async function damagedLease(status: string): Promise<void> {
  await house.sql(
    `insert into vault_view.lease (lease_id, database_role_id, session_id, agent_id, decision_id, approval_id, username,
       status, issue_time, expire_time, retry_time, stream_version)
     values ('lse_damaged_${status}', 'dbr_x', 'ses_x', 'agt_x', 'dec_x', '', 'writ_x', '${status}', 'epoch', 'epoch',
       'epoch', 1)`,
    house.world.ownerUrl,
  );
}

describe('a lease that cannot be ended', () => {
  it('keeps no other from expiring, and no failed revocation from being tried again', async () => {
    await damagedLease('active');
    await damagedLease('revoking');
    const role = await house.databaseRole();
    const { leaseId } = await leases.issue(
      await house.session(agent, { expireSeconds: 2 }),
      role.databaseRoleId,
    );
    await house.until(() => leases.isRevoked(leaseId));
    const ending = await house.session(agent);
    const late = await leases.issue(ending, role.databaseRoleId);
    await house.erp.crash();
    await house.end(ending);
    await house.until(async () => (await leases.get(late.leaseId)).revokeAttempts >= 1, 10_000);
    await house.erp.startAgain();
    await house.until(() => leases.isRevoked(late.leaseId), 10_000);
    expect(house.logged.join('\n')).toContain('lse_damaged_active');
  });
});

describe('a database that hangs', () => {
  it('holds up no revocation on another', async () => {
    const url = house.adminUrl.replace(`:${house.erp.port}/`, `:${wire.port}/`);
    const hanging = await house.databaseRole({ url });
    const prompt = await house.databaseRole();
    const [stuck, free] = [await house.session(agent), await house.session(agent)];
    const many = await Promise.all(
      Array.from({ length: 12 }, () => leases.issue(stuck, hanging.databaseRoleId, {}, 5_000)),
    );
    const { leaseId } = await leases.issue(free, prompt.databaseRoleId);
    wire.hold();
    await house.end(stuck);
    await house.until(async () => (await house.story(many.at(-1)?.leaseId ?? '')).length > 1);
    await house.end(free);
    await house.until(() => leases.isRevoked(leaseId), 1_000);
    expect(await leases.isRevoked(many[0]?.leaseId ?? '')).toBe(false);
    wire.letGo();
  });
});
