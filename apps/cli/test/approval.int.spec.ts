import { cp } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Home, type RunningService } from '@writ/service';
import { approvalsService } from '../../approvals/src/approvals.module.js';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { askerService, askPeople } from './asker.js';
import { allRoles, CliHouse } from './cli-house.js';

let house: CliHouse;
let asker: RunningService;

beforeAll(async () => {
  house = await CliHouse.build();
  const own = new RegistrySettings({ trustDomainDir: house.world.trustDomainDir });
  const registry = await house.world.service(registryService, { own });
  asker = await house.world.service(askerService);
  await house.saveSuite([registry, await house.world.service(approvalsService)]);
  await house.addOperator(registry, allRoles);
  const ben = await house.json([
    'person',
    'register',
    '--name',
    'Ben',
    '--role',
    'approver',
    '--save-profile',
    'ben',
  ]);
  await house.json(['certificate', 'issue', String(ben.personId)]);
});

afterAll(async () => house?.stop());

const ben = (argv: string[], wish: object = {}) =>
  house.writ(['approval', ...argv, '--profile', 'ben'], { env: {}, ...wish });

describe('`writ approval`', () => {
  let decisionId: string;
  let approvalId: string;

  beforeEach(async () => {
    decisionId = await askPeople(asker);
    approvalId = await appeared(decisionId);
  });

  it('4: a wait that ends while nobody has decided says that it is still pending', async () => {
    const { code, out } = await ben(['wait', approvalId, '--timeout', '300ms']);
    expect(code).toBe(4);
    expect(out).toContain('pending');
  });

  it('shows the exact action before it signs, and signs nothing without a yes', async () => {
    const { code, out, err } = await ben(['approve', approvalId], { typed: 'n' });
    expect(code).toBe(64);
    expect(out).toBe('');
    for (const part of [
      'value: "4000"',
      'currencyCode: EUR',
      'stringValue: ACME',
      'identifier: invoices/C',
      'pay invoice C',
    ])
      expect(err).toContain(part);
    expect(err).toContain('approve exactly this? [y/N]');
    expect(err).toContain('nothing was signed');
    expect((await ben(['approve', approvalId])).code).toBe(64);
    expect((await ben(['get', approvalId])).out).toContain('pending');
  });

  it('looks again and again over one connection while it waits', async () => {
    const elsewhere = new Home(join(house.world.folder, 'counted'));
    await cp(house.home.folder, elsewhere.folder, { recursive: true });
    const suite = await house.home.suite();
    const [host = '', port] = String(suite.endpoints.approvals).split(':');
    let connections = 0;
    const door = createServer((caller) => {
      connections += 1;
      const service = connect(Number(port), host);
      caller.pipe(service).pipe(caller);
      for (const [one, other] of [[caller, service] as const, [service, caller] as const])
        one.on('error', () => other.destroy());
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    try {
      const approvals = `127.0.0.1:${(door.address() as AddressInfo).port}`;
      await elsewhere.saveSuite({ ...suite, endpoints: { ...suite.endpoints, approvals } });
      const waited = await ben(['wait', approvalId, '--timeout', '1200ms', '--home', elsewhere.folder]);
      expect(waited.code).toBe(4);
      expect(connections).toBe(1);
    } finally {
      door.close();
    }
  });

  it('0: a granted approval ends the wait, also by the decision that asked for it', async () => {
    const waiting = ben(['wait', decisionId, '--timeout', '10s']);
    const approved = await ben(['approve', approvalId], { typed: 'y' });
    expect(approved.code).toBe(0);
    expect(approved.out).toMatch(/state +granted/);
    expect((await waiting).code).toBe(0);
  });

  it('2: a denied approval ends the wait with a no', async () => {
    expect((await ben(['deny', approvalId, '--yes'])).code).toBe(64);
    const denied = await ben(['deny', approvalId, '--reason', 'not ours', '--yes']);
    expect(denied.code).toBe(0);
    expect((await ben(['wait', approvalId])).code).toBe(2);
  });

  it('5: who may not decide is told so', async () => {
    const { code, err } = await house.writ([
      'approval',
      'approve',
      approvalId,
      '--yes',
      '--profile',
      'operator',
    ]);
    expect({ code, err }).toMatchObject({ code: 0 });
    const own = await appeared(await askPeople(asker, { personId: house.operatorId }));
    const refused = await house.writ(['approval', 'approve', own, '--yes']);
    expect(refused.code).toBe(5);
    expect(refused.err).toContain('(SELF_APPROVAL)');
  });

  it('7: what is decided stays decided', async () => {
    await ben(['deny', approvalId, '--reason', 'not ours', '--yes']);
    const { code, err } = await ben(['approve', approvalId, '--yes']);
    expect(code).toBe(7);
    expect(err).toContain('(ALREADY_VOTED)');
  });

  it('9: an action that is not the one of the digest is not signed', async () => {
    const forged = await appeared(await askPeople(asker, { actionDigest: `sha-256:${'A'.repeat(43)}` }));
    const { code, err } = await ben(['approve', forged, '--yes']);
    expect(code).toBe(9);
    expect(err).toContain('the statement to sign does not speak of the approval that was shown');
    expect((await ben(['get', forged])).out).toContain('pending');
  });

  it('6: an approval that does not exist', async () =>
    expect((await ben(['get', 'apr_01K41M7JG00000000000000APR'])).code).toBe(6));

  it('lets nobody dress up the action with characters that steer the terminal', async () => {
    const sly = await appeared(await askPeople(asker, { task: 'pay\u001b[2Jnothing' }));
    const { err } = await ben(['approve', sly], { typed: 'n' });
    expect(err).not.toContain('\u001b');
  });
});

/** Waits until a decision has become a request. */
async function appeared(decisionId: string): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { code, out } = await ben(['get', decisionId, '-o', 'name']);
    if (code === 0) return out.trim().replace('approvals/', '');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the decision became no request');
}
