import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { Locks } from '../src/lock/lock-sink.store.js';
import { leasesOf, reasonOf } from './asking.js';
import { House, type TestAgent } from './house.js';

let house: House;
let agent: TestAgent;
let leases: ReturnType<typeof leasesOf>;
const placed: string[] = [];
beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  leases = leasesOf(house);
});
afterEach(() => {
  house.decisions.meanwhile = async () => undefined;
  for (const tool of placed.splice(0)) order(tool, true);
});
afterAll(() => house.close());

function order(tool: string, lifted: boolean): void {
  const { WATCH_TARGET_KIND_TOOL: targetKind } = WatchTargetKind;
  house.watch.place({ targetKind, targetId: tool, lifted }, house.world.clock.now());
}

function lock(tool: string): void {
  placed.push(tool);
  order(tool, false);
}

/** The lock comes after the policy-engine has looked and before its answer is used. */
function lockWhileDeciding(tool: string): void {
  house.decisions.meanwhile = async () => {
    lock(tool);
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
}

describe('a stop order on a tool', () => {
  it.each(['type', 'location', 'id'])(
    'that names the %s of the action ends leases, stops renewals and lets none be issued',
    async (what) => {
      const role = await house.databaseRole();
      const session = await house.session(agent);
      const { leaseId, username } = await leases.issue(session, role.databaseRoleId, { ttlSeconds: 60 });
      lock({ type: 'database', location: role.displayName, id: role.databaseRoleId }[what] ?? '');
      await house.until(() => leases.isRevoked(leaseId));
      expect((await leases.get(leaseId)).revokeCause).toBe(RevokeCause.REVOKE_CAUSE_LOCKED);
      expect(await house.logins()).not.toContain(username);
      const renew = { token: session.token, leaseId, ttlSeconds: 600, requestId: '' };
      expect(await reasonOf(house.leases(agent.identity).renewLease(renew))).toBe('LOCKED');
      expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('LOCKED');
    },
  );

  it('that names another type of action leaves leases alone', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    const { leaseId } = await leases.issue(session, role.databaseRoleId, { ttlSeconds: 60 });
    lock('payment');
    const renew = { token: session.token, leaseId, ttlSeconds: 600, requestId: '' };
    expect(await reasonOf(house.leases(agent.identity).renewLease(renew))).toBe('not refused');
  });

  it('that names the type of action and comes while the decision is made lets no lease through', async () => {
    const role = await house.databaseRole();
    const session = await house.session(agent);
    lockWhileDeciding('database');
    expect(await reasonOf(leases.issue(session, role.databaseRoleId))).toBe('LOCKED');
  });

  it.each(['vault_secret', 'vault', 'the secret'])(
    'that names %s and comes while the decision is made lets no secret out',
    async (tool) => {
      const wish = { displayName: `locked by ${tool}`, owner: 'finance', value: Buffer.from('x') };
      const { secretId } = await house.secrets(house.admin).createSecret({ ...wish, requestId: '' });
      const { token } = await house.session(agent);
      lockWhileDeciding(tool === 'the secret' ? secretId : tool);
      const read = { token, secretId, version: 0, approvalId: '', atLeast: [], requestId: '' };
      expect(await reasonOf(house.secrets(agent.identity).readSecret(read))).toBe('LOCKED');
    },
  );
});

describe('the end of a session', () => {
  it('is forgotten as a stop order when no session of its time can live any more', async () => {
    const locks = house.vault.app.get(Locks);
    const { WATCH_TARGET_KIND_SESSION: targetKind } = WatchTargetKind;
    const hoursAgo = (hours: number) => new Date(house.world.clock.now().getTime() - hours * 3_600_000);
    const [old, young] = [house.world.clock.newId('ses'), house.world.clock.newId('ses')];
    const stops = (id: string) =>
      locks.blocking([{ kind: 'session', id }], hoursAgo(12), house.world.clock.now()) !== undefined;
    house.watch.place({ targetKind, targetId: old, lockId: '' }, hoursAgo(10));
    house.watch.place({ targetKind, targetId: young, lockId: '' }, hoursAgo(1));
    await house.until(async () => stops(young));
    await house.until(async () => !stops(old), 15_000);
    expect(stops(young)).toBe(true);
  });
});
