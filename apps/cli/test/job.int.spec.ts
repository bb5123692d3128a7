import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { approvalsService } from '../../approvals/src/approvals.module.js';
import { AuditSettings, auditService } from '../../audit/src/audit.module.js';
import { policyEngineService } from '../../policy-engine/src/policy-engine.module.js';
import { PolicyEngineSettings } from '../../policy-engine/src/policy-engine.settings.js';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { BrokerSettings } from '../../session-broker/src/broker-settings.js';
import { sessionBrokerService } from '../../session-broker/src/session-broker.module.js';
import { vaultService } from '../../vault/src/vault.module.js';
import { VaultSettings } from '../../vault/src/vault.settings.js';
import { allRoles, CliHouse, until } from './cli-house.js';
import type { Wish } from './writ.js';

const starter = join(import.meta.dirname, '..', '..', 'policy-engine', 'policies', 'starter');
const tokens = { tokenIssuer: 'https://broker.writ.test', tokenAudience: 'writ' };
const action = (amount: string, more = '') =>
  `type=payment,name=pay,location=pg://erp,identifier=invoices/C,amount=${amount}${more}`;

let house: CliHouse;
let agentId: string;
let helperId: string;
let mandateId: string;
let decisionId: string;
let approvalId: string;

const writ = (argv: string, wish?: Wish) => house.writ(argv.split(' '), wish);
const as = (profile: string, argv: readonly string[], wish?: Wish) =>
  house.writ([...argv, '--profile', profile], wish);
const decide = (...more: string[]) => as('invoice-agent', ['decide', ...more]);

async function start(): Promise<void> {
  const { world } = house;
  const registry = await world.service(registryService, {
    own: new RegistrySettings({ trustDomainDir: world.trustDomainDir }),
  });
  const broker = await world.service(sessionBrokerService, {
    own: new BrokerSettings({ ...tokens, signingKeyFile: join(house.folder, 'token-signing.pem') }),
  });
  const engine = await world.service(policyEngineService, {
    own: new PolicyEngineSettings({
      ...tokens,
      sessionBrokerAddress: broker.address,
      factsAgeMsMax: 10_000,
      cedarShadowOneIn: 1,
    }),
  });
  const approvals = await world.service(approvalsService);
  const vault = await world.service(vaultService, {
    own: new VaultSettings({
      ...tokens,
      keyFile: await house.file('keys', randomBytes(32).toString('base64')),
      policyEngineAddress: engine.address,
      sessionBrokerAddress: broker.address,
      scramIterations: 4096,
      leaseConnections: 10,
    }),
  });
  const audit = await world.service(auditService, {
    own: new AuditSettings({
      siemTopic: false,
      siemFileDir: undefined,
      siemFileBytes: 1024 * 1024,
      siemFiles: 1,
    }),
  });
  await house.saveSuite([registry, broker, engine, approvals, vault, audit], { issuer: tokens.tokenIssuer });
  await house.addOperator(registry, allRoles);
}

beforeAll(async () => {
  house = await CliHouse.build();
  await start();
});

afterAll(async () => house?.stop());

describe('the main job, by the command line alone', () => {
  it('registers people and agents, and keeps their keys for their owner only', async () => {
    await house.addPerson('ana', 'sponsor');
    await house.addPerson('ben', 'approver');
    agentId = await house.addAgent('Invoice Agent');
    helperId = await house.addAgent('FX Agent');
    const folder = join(house.home.folder, 'profiles', 'invoice-agent');
    for (const file of ['signing.key', 'tls.key', 'profile.json'])
      expect(((await stat(join(folder, file))).mode & 0o777).toString(8)).toBe('600');
    expect(((await stat(folder)).mode & 0o777).toString(8)).toBe('700');
  });

  it('applies policies; a dry run only says whether they would be accepted', async () => {
    const texts = await Promise.all(
      ['access.cedar', 'finance.cedar'].map((name) => readFile(join(starter, name), 'utf8')),
    );
    const policies = await house.file('all.cedar', texts.join('\n'));
    const apply = (file: string) => [
      'policy',
      'apply',
      '--policies-file',
      file,
      '--schema-file',
      join(starter, 'schema.cedarschema'),
    ];
    expect((await house.writ([...apply(policies), '--dry-run'])).code).toBe(0);
    expect((await house.writ(['policy', 'get'])).code).toBe(6);
    const broken = await house.file('broken.cedar', 'permit (principal is Nobody, action, resource);');
    expect((await house.writ(apply(broken))).code).toBe(3);
    expect((await house.writ(apply(policies))).code).toBe(0);
  });

  it('grants a mandate from a file', async () => {
    const file = await house.file(
      'mandate.yaml',
      `purpose: September supplier run
authorization_details:
  - type: payment
    actions: [read, pay]
    locations: [pg://erp]
    identifier: invoices/*
    constraints: { amount_max: 5000EUR }
limits: { amount_total: 20000EUR }
expire_time: 4h
max_depth: 1
`,
    );
    const granted = await until(0, () =>
      as('ana', ['mandate', 'grant', '-f', file, '--agent', agentId, '-o', 'json']),
    );
    expect(granted.err).toBe('');
    const mandate = JSON.parse(granted.out);
    expect(mandate).toMatchObject({ agentId, maxDepth: 1, limits: { amountTotal: { value: '20000' } } });
    mandateId = mandate.mandateId;
  });

  it('opens a session whose token is kept and never shown', async () => {
    const opened = await until(0, () =>
      as('invoice-agent', [
        'session',
        'open',
        '--mandate',
        mandateId,
        '--task',
        'pay invoices',
        '-o',
        'json',
      ]),
    );
    expect(opened.err).toBe('');
    const path = join(house.home.folder, 'profiles', 'invoice-agent', 'session.json');
    const { accessToken } = JSON.parse(await readFile(path, 'utf8'));
    expect(accessToken).toMatch(/^eyJ/);
    expect(opened.out + opened.err).not.toContain(accessToken);
    expect(((await stat(path)).mode & 0o777).toString(8)).toBe('600');
    const shown = await as('invoice-agent', ['session', 'token', '--show-token', '-o', 'json']);
    expect(JSON.parse(shown.out).accessToken).toMatch(/^eyJ/);
  });

  it('0, 2 and 4: allows, denies, and asks people', async () => {
    const allowed = await until(0, () => decide('--action', action('1200EUR')));
    expect(allowed.out).toMatch(/outcome +allow/);
    const denied = await decide('--action', action('9000EUR'));
    expect(denied.code).toBe(2);
    expect(denied.out).toMatch(/code +[A-Z_]+/);
    const asked = await decide('--action', action('4000EUR'), '-o', 'json');
    expect(asked.code).toBe(4);
    ({ decisionId } = JSON.parse(asked.out));
  });

  it('lets Ben approve exactly that, once', async () => {
    const waiting = as('invoice-agent', ['approval', 'wait', decisionId, '-o', 'json']);
    const found = await until(0, () => as('ben', ['approval', 'get', decisionId, '-o', 'json']));
    ({ approvalId } = JSON.parse(found.out));
    const approved = await as('ben', ['approval', 'approve', approvalId], { typed: 'y' });
    expect(approved.err).toContain('value: "4000"');
    expect(approved.code).toBe(0);
    expect((await waiting).code).toBe(0);
    expect((await decide('--action', action('4001EUR'), '--approval', approvalId)).code).not.toBe(0);
    const used = await decide('--action', action('4000EUR'), '--approval', approvalId, '-o', 'json');
    expect(used.code).toBe(0);
    ({ decisionId } = JSON.parse(used.out));
    expect((await decide('--action', action('4000EUR'), '--approval', approvalId)).code).not.toBe(0);
  });

  it('delegates a narrower part, and cannot widen it', async () => {
    const create = (detail: string) =>
      as('invoice-agent', [
        'delegation',
        'create',
        '--to',
        helperId,
        '--detail',
        detail,
        '--expires',
        '1h',
        '-o',
        'json',
      ]);
    const wider = await create(
      'type=payment,actions=pay,locations=pg://erp,identifier=invoices/*,amount_max=9000EUR',
    );
    expect(wider.err).toContain('DELEGATION_WIDENS');
    expect(wider.code).toBe(5);
    const made = await create(
      'type=payment,actions=read,locations=pg://erp,identifier=invoices/*,amount_max=1EUR',
    );
    expect(made.err).toBe('');
    expect(JSON.parse(made.out)).toMatchObject({ delegateAgentId: helperId, depth: 1 });
  });

  it('keeps a secret that came by standard input', async () => {
    const made = await house.writ(
      ['secret', 'create', '--name', 'erp', '--owner', 'finance', '--value-file', '-', '-o', 'json'],
      {
        input: 'correct horse battery staple',
      },
    );
    expect(made.code).toBe(0);
    expect(made.out).not.toContain('horse');
    expect(
      (await writ(`secret add-version ${JSON.parse(made.out).secretId} --value-file - --show-api`)).out,
    ).not.toContain('horse');
  });

  it('hands out no secret that the mandate does not cover, and no password without a place for it', async () => {
    const secrets = (await house.json(['secret', 'list'])).secrets as { secretId: string }[];
    const read = ['secret', 'read', secrets[0]?.secretId ?? ''];
    expect((await as('invoice-agent', read)).code).toBe(64);
    const { code, out } = await as('invoice-agent', [...read, '--to', '-']);
    expect(code).toBe(5);
    expect(out).toBe('');
    const lease = await as('invoice-agent', ['lease', 'issue', 'dbr_01K41M7JG00000000000000DBR']);
    expect(lease.code).toBe(64);
    expect(lease.err).toContain('`--password-file FILE` is needed');
  });

  it('stops everything of an agent with one lock', async () => {
    expect((await writ(`kill ${agentId} --reason drill`)).code).toBe(64);
    const killed = await writ(`kill ${agentId} --reason drill --confirm ${agentId}`);
    expect(killed.code).toBe(0);
    expect(killed.out).toMatch(/state +in-force/);
    expect((await decide('--action', action('1EUR'))).code).toBe(2);
    expect((await writ('lock list --state in-force')).out).toContain(agentId);
  });

  it('says who answers for a payment, each step with its place in the ledger', async () => {
    const traced = await until(0, () => writ(`decision trace ${decisionId}`));
    expect(traced.code).toBe(0);
    expect(traced.out).toContain(mandateId);
    expect(traced.err).toMatch(/^psn_\w+ answers for it/);
  });

  it('shows every endpoint, a healthy suite, and a ledger that checks out', async () => {
    const status = await house.json(['status']);
    const endpoints = status.endpoints as { service: string; status: string }[];
    expect(endpoints.map(({ service }) => service).sort()).toEqual([
      'approvals',
      'audit',
      'policy-engine',
      'registry',
      'session-broker',
      'vault',
    ]);
    expect(endpoints.every((one) => one.status === 'SERVING')).toBe(true);
    expect(Number((status.ledger as { size: string }).size)).toBeGreaterThan(10);
    const doctor = await writ('doctor');
    expect(doctor.out).toContain(`in force on ${agentId}`);
    expect(doctor.code).toBe(0);
    const verified = await writ('ledger verify');
    expect(verified.code).toBe(0);
    expect(verified.out).toMatch(/result +ok/);
    expect(verified.err).toMatch(/checked \d+ of \d+ entries/);
  });

  it('9: names the entry whose byte was flipped', async () => {
    const owner = new pg.Client(house.world.ownerUrl);
    await owner.connect();
    try {
      await owner.query(flipOneByte);
    } finally {
      await owner.end();
    }
    const { code, out } = await writ('ledger verify -o json');
    expect(code).toBe(9);
    expect(JSON.parse(out).faults[0]).toMatchObject({ index: '3' });
  });
});

const flipOneByte = `do $$ begin
  alter table ledger.entry disable trigger all;
  update ledger.entry set leaf = set_byte(leaf, 5, get_byte(leaf, 5) # 1) where idx = 3;
end $$`;
