import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApplyPolicySetRequest } from '@writ/contracts/writ/policy/v1/policy_set.js';
import { PolicySetApplied } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { EventStore } from '@writ/event-store';
import { type Identity, type RunningService, refusalOf } from '@writ/service';
import { newRequestId, refusedWith, type Worker } from './asking.js';
import { House } from './house.js';

let house: House;
let worker: Worker;
let second: RunningService;
let security: Identity;
let operator: Identity;

beforeAll(async () => {
  house = await House.build({ policies: false });
  worker = await house.worker();
  second = await house.startEngine();
  security = await house.person([Role.ROLE_SECURITY]);
  operator = await house.person([Role.ROLE_OPERATOR]);
});
afterAll(async () => {
  await house?.stop();
});

async function order(wish: Partial<ApplyPolicySetRequest> = {}): Promise<ApplyPolicySetRequest> {
  const blank = { tests: [], note: '', etag: '', requestId: '', validateOnly: false };
  return { ...(await house.starterSet()), ...blank, ...wish };
}
/** A busy machine takes its time to validate policies. */
const apply = (by: Identity, request: ApplyPolicySetRequest) =>
  house.policySets(by).applyPolicySet(request, { deadlineMs: 20_000 });
const permitAll = '@id("all") permit (principal, action, resource);';
const facts = async () => house.engine.app.get(EventStore).read('policy-set-active');

describe('without a policy set', () => {
  it('nothing is permitted', async () =>
    expect((await house.pay(worker, '1')).reasonCode).toBe('POLICY_NONE'));
  it('there is none to read', async () => {
    const none = house.policySets().getPolicySet({ policySetId: '' });
    expect(await refusedWith(none)).toMatchObject({ reason: 'POLICY_SET_UNKNOWN' });
  });
  it('asking whether one would be accepted applies nothing', async () => {
    const preview = await apply(house.admin, await order({ validateOnly: true }));
    expect(preview).toMatchObject({ version: 1, active: false });
    expect(await facts()).toHaveLength(0);
    expect((await house.pay(worker, '1')).reasonCode).toBe('POLICY_NONE');
  });
});

describe('a policy set', () => {
  it('holds from the answer on, and on every replica a moment later', async () => {
    const applied = await apply(security, await order({ note: 'to begin with' }));
    expect(applied).toMatchObject({ version: 1, active: true, etag: '1', note: 'to begin with' });
    expect(applied.name).toBe(`policySets/${applied.policySetId}`);
    expect(await house.pay(worker, '1')).toMatchObject({
      reasonCode: 'PERMITTED',
      policySetId: applied.policySetId,
      policySetVersion: 1,
    });
    const elsewhere = house.decisions(house.gateway, second);
    await house.until(
      async () => (await house.pay(worker, '1', {}, elsewhere)).policySetVersion === 1,
      1_000,
    );
    const [fact] = await facts();
    expect(PolicySetApplied.decode(fact?.data ?? new Uint8Array())).toMatchObject({
      version: 1,
      digest: applied.digest,
    });
    expect(fact?.meta.actor).toMatch(/^psn_/);
  });
  it('that is applied again changes nothing', async () => {
    expect(await apply(house.admin, await order())).toMatchObject({
      version: 1,
      active: true,
    });
    expect(await facts()).toHaveLength(1);
  });
  it('follows the one before without a gap, and the first answer is repeated for the same request id', async () => {
    const wish = await order({ policies: permitAll, etag: '1', requestId: newRequestId() });
    const applied = await apply(house.admin, wish);
    expect(applied).toMatchObject({ version: 2, active: true });
    expect(await apply(house.admin, wish)).toEqual(applied);
    expect(await house.pay(worker, '4000')).toMatchObject({
      reasonCode: 'PERMITTED',
      policyIds: ['all'],
      policySetVersion: 2,
    });
    expect(await facts()).toHaveLength(2);
  });
  it('is not applied over one that its author has not seen', async () => {
    for (const validateOnly of [true, false]) {
      const call = apply(house.admin, await order({ etag: '1', validateOnly }));
      expect(await refusedWith(call)).toMatchObject({ reason: 'ETAG_STALE' });
    }
    expect(await facts()).toHaveLength(2);
  });
  it('that does not validate is refused with line and column, and changes nothing', async () => {
    const policies = `${permitAll}\n@id("typo") forbid (principal, action, resource) when { context.amout > 1 };`;
    const error = await apply(house.admin, await order({ policies })).catch(refusalOf);
    expect(error).toMatchObject({ reason: 'POLICY_SET_INVALID', status: 'INVALID_ARGUMENT' });
    const fields = error !== undefined && 'fields' in error ? error.fields : [];
    expect(fields[0]).toMatchObject({ field: 'policies' });
    expect(fields[0]?.description).toMatch(/^line 2, column \d+: .*amout/);
    expect(await facts()).toHaveLength(2);
  });
  it('that does not parse is refused, also when only asked about', async () => {
    const call = apply(house.admin, await order({ policies: 'permit (', validateOnly: true }));
    expect(await refusedWith(call)).toEqual({ reason: 'POLICY_SET_INVALID', fields: ['policies'] });
  });
  it('that is empty or too large is refused with every bad field', async () => {
    const call = apply(
      house.admin,
      await order({ policies: '', schema: ' '.repeat(129 * 1024), note: 'x'.repeat(501), etag: 'new' }),
    );
    expect(await refusedWith(call)).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['policies', 'schema', 'note', 'etag'],
    });
  });
  it('may be applied by admin and security, and read by those who operate and audit', async () => {
    expect(await refusedWith(apply(operator, await order()))).toMatchObject({
      reason: 'CALLER_NOT_ALLOWED',
    });
    expect(
      await refusedWith(house.policySets(worker.identity).getPolicySet({ policySetId: '' })),
    ).toMatchObject({ reason: 'CALLER_NOT_ALLOWED' });
    expect(await house.policySets(operator).getPolicySet({ policySetId: '' })).toMatchObject({
      version: 2,
      active: true,
    });
  });
  it('is kept when another is active, and listed newest first', async () => {
    const sets = house.policySets();
    const first = await sets.listPolicySets({ pageSize: 1, pageToken: '' });
    const rest = await sets.listPolicySets({ pageSize: 1, pageToken: first.nextPageToken });
    const listed = [...first.policySets, ...rest.policySets];
    expect(listed.map(({ version, active }) => [version, active])).toEqual([
      [2, true],
      [1, false],
    ]);
    const { policySetId = '' } = listed[1] ?? {};
    expect(await sets.getPolicySet({ policySetId })).toMatchObject({
      version: 1,
      policies: (await order()).policies,
    });
    const unknown = sets.getPolicySet({ policySetId: house.world.clock.newId('pol') });
    expect(await refusedWith(unknown)).toMatchObject({ reason: 'POLICY_SET_UNKNOWN' });
    expect(await refusedWith(sets.getPolicySet({ policySetId: worker.agentId }))).toMatchObject({
      reason: 'INVALID_ARGUMENT',
    });
  });
});
