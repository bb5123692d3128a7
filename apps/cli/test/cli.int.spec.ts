import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Home } from '@writ/service';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { allRoles, CliHouse, masked, newKeys } from './cli-house.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
const bin = join(root, 'node_modules', '.bin');
const nobody = 'agt_01K41M7JG00000000000000AGT';

let house: CliHouse;
let agentId: string;

const registration = (name: string) => [
  ...['agent', 'register', '--name', name, '--builder', 'finance-engineering', '--owner', 'finance'],
  ...['--sponsor', house.operatorId, '--purpose', 'pay supplier invoices', '--environment', 'production'],
  ...['--sensitivity', 'confidential'],
];

beforeAll(async () => {
  house = await CliHouse.build();
  const own = new RegistrySettings({ trustDomainDir: house.world.trustDomainDir });
  const registry = await house.world.service(registryService, { own });
  await house.saveSuite([registry]);
  await house.addOperator(registry, allRoles);
  await house.json(['person', 'register', '--name', 'Ben', '--role', 'approver']);
  ({ agentId } = (await house.json(registration('Invoice Agent'))) as { agentId: string });
});

afterAll(async () => house?.stop());

describe('the formats of `writ person list`', () => {
  const list = async (format: string) => masked((await house.writ(['person', 'list', '-o', format])).out);

  it('-o table', async () =>
    expect(await list('table')).toBe(
      `ID                              NAME      STATE   ROLES
psn_1·························  operator  active  admin, operator, sponsor, approver, auditor, security
psn_2·························  Ben       active  approver
`,
    ));
  it('-o wide', async () => {
    const [head, operator, ben] = (await list('wide')).split('\n');
    expect(head).toMatch(/^ID {30}NAME {6}STATE {3}ROLES {50}KEYS {41}REGISTERED {12}ETAG$/);
    expect(operator).toMatch(/^psn_1·+ {2}operator .+ security {2}·{43} {2}TIME·{16} {2}\d+$/);
    expect(ben).toMatch(/^psn_2·+ {2}Ben .+ approver .+- {44}TIME·{16} {2}\d+$/);
  });
  it('-o json is the JSON of the API, unchanged', async () => {
    const { people } = JSON.parse((await house.writ(['person', 'list', '-o', 'json'])).out);
    expect(people).toHaveLength(2);
    expect(people[1]).toEqual({
      name: `people/${people[1].personId}`,
      personId: people[1].personId,
      displayName: 'Ben',
      roles: ['ROLE_APPROVER'],
      state: 'PERSON_STATE_ACTIVE',
      registerTime: expect.stringMatching(/^\d{4}-.+Z$/),
      etag: people[1].etag,
    });
  });
  it('-o yaml', async () => {
    const yaml = await list('yaml');
    expect(yaml).toContain('people:\n  - name: people/psn_1·························\n');
    expect(yaml).toContain('    roles:\n      - ROLE_APPROVER\n    state: PERSON_STATE_ACTIVE\n');
  });
  it('-o jsonl', async () => {
    const lines = (await list('jsonl')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).displayName)).toEqual(['operator', 'Ben']);
  });
  it('-o name', async () =>
    expect(await list('name')).toBe(
      'people/psn_1·························\npeople/psn_2·························\n',
    ));
  it('one thing is a line for each property', async () =>
    expect(masked((await house.writ(['person', 'get', house.operatorId])).out)).toBe(
      `id     psn_1·························
name   operator
state  active
roles  admin, operator, sponsor, approver, auditor, security
`,
    ));
  it('a format that does not exist is refused', async () => {
    const { code, err } = await house.writ(['person', 'list', '-o', 'xml']);
    expect({ code, err }).toEqual({
      code: 64,
      err: 'writ person list: `-o xml` is no format\nnext: one of table, wide, json, yaml, jsonl, name\n',
    });
  });
});

describe('a list', () => {
  it('says where it goes on, and goes on by itself when asked to', async () => {
    const first = await house.writ(['person', 'list', '--page-size', '1']);
    const token = /--page-token (\S+), or --all/.exec(first.err)?.[1] ?? '';
    const second = await house.writ(['person', 'list', '--page-size', '1', '--page-token', token]);
    expect(second.out).toContain('Ben');
    const { people } = (await house.json(['person', 'list', '--page-size', '1', '--all'])) as { people: [] };
    expect(people).toHaveLength(2);
  });
  it('is narrowed by the words of the contract', async () => {
    expect(
      (await house.writ(['agent', 'list', '--state', 'awaiting-attestation', '-o', 'name'])).out,
    ).toContain(agentId);
    expect((await house.writ(['agent', 'list', '--state', 'retired', '-o', 'name'])).out).toBe('');
    const wrong = await house.writ(['agent', 'list', '--state', 'asleep']);
    expect(wrong.code).toBe(64);
    expect(wrong.err).toContain('`--state`: `state` must be one of `awaiting-attestation`, `active`');
  });
});

describe('a failure', () => {
  const suspend = (...more: string[]) => ['agent', 'suspend', agentId, '--reason', 'drill', ...more];

  it('tells people what failed, why, what comes next, and the call', async () => {
    const { code, out, err } = await house.writ(['agent', 'get', nobody]);
    expect(code).toBe(6);
    expect(out).toBe('');
    expect(masked(err)).toBe(
      'writ agent get: no agent `agt_1·························` (AGENT_UNKNOWN)\nnext: writ agent list\ncall: UUID\n',
    );
  });
  it('tells programs the google.rpc.Status, on standard error', async () => {
    const { code, out, err } = await house.writ(['agent', 'get', 'x', '-o', 'json']);
    expect(code).toBe(3);
    expect(out).toBe('');
    expect(JSON.parse(err)).toEqual({
      code: 3,
      message: expect.any(String),
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'INVALID_ARGUMENT',
          domain: 'writ',
          metadata: { callId: expect.any(String) },
        },
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: 'agent_id', description: expect.any(String) }],
        },
      ],
    });
  });
  it.each([
    ['3, a field is not right', 3, () => ['agent', 'get', 'nonsense']],
    ['6, it does not exist', 6, () => ['agent', 'get', nobody]],
    ['7, the etag is stale', 7, () => suspend('--etag', '999')],
    ['8, the service is not there', 8, () => ['mandate', 'list']],
    ['8, no answer in time', 8, () => ['agent', 'list', '--timeout', '1ms']],
    ['64, no such command', 64, () => ['agent', 'explode']],
    ['64, a verb is missing', 64, () => ['agent']],
    ['64, an argument is missing', 64, () => ['agent', 'get']],
    ['64, an argument too many', 64, () => ['agent', 'get', agentId, agentId]],
    ['64, no such flag', 64, () => ['agent', 'list', '--colour']],
    ['64, a needed flag is missing', 64, () => ['agent', 'suspend', agentId]],
    ['64, no duration', 64, () => ['agent', 'list', '--timeout', 'soon']],
    ['64, a question that nobody can answer', 64, () => ['agent', 'retire', agentId]],
    ['5, no such profile', 5, () => ['agent', 'list', '--profile', 'mallory']],
    ['8, no suite', 8, () => ['agent', 'list', '--home', '/nonexistent']],
  ])('ends with %s', async (_why, code, argv) => expect((await house.writ(argv())).code).toBe(code));

  it('with 64 is told as JSON too', async () => {
    const { code, err } = await house.writ(['agent', 'explode', '-o', 'json']);
    expect(code).toBe(64);
    expect(JSON.parse(err)).toMatchObject({ code: 3, details: [{ reason: 'USAGE', domain: 'writ-cli' }] });
  });
  it('5: a certificate that is no longer valid is told before anything is sent', async () => {
    const { code, err } = await house.writ(['agent', 'list'], {
      env: { WRIT_PROFILE: 'operator' },
      aheadMs: 90_000_000,
    });
    expect(code).toBe(5);
    expect(err).toContain('the certificate of profile `operator` expired at');
  });
  it('8: a service that does not answer says how to repeat the change', async () => {
    const elsewhere = new Home(join(house.world.folder, 'elsewhere'));
    await elsewhere.saveSuite({ ...(await house.home.suite()), endpoints: { registry: '127.0.0.1:1' } });
    const { identity, ...operator } = await house.home.profile('operator');
    await elsewhere.saveProfile({ ...operator, material: identity.current() });
    identity.stop();
    const { code, err } = await house.writ(suspend('--home', elsewhere.folder));
    expect(code).toBe(8);
    expect(masked(err)).toContain('next: writ status; then repeat with --request-id UUID\n');
    const status = await house.writ(['status', '--home', elsewhere.folder]);
    expect(status.code).toBe(8);
    expect(status.out).toContain('unreachable');
    expect((await house.writ(['doctor', '--home', elsewhere.folder])).code).toBe(8);
  });
});

describe('a change', () => {
  it('is made once, however often its request id is sent', async () => {
    const again = [
      ...registration('Twice'),
      '--request-id',
      '0199e6a0-0000-7000-8000-000000000001',
      '--key-file',
    ];
    const { publicKey } = newKeys();
    const file = await house.file('twice.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const [first, second] = [await house.json([...again, file]), await house.json([...again, file])];
    expect(second.agentId).toBe(first.agentId);
  });
  it('is only shown with --dry-run', async () => {
    const ran = await house.writ([
      'agent',
      'suspend',
      agentId,
      '--reason',
      'drill',
      '--dry-run',
      '-o',
      'json',
    ]);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ agentId, reason: 'drill' });
    expect(ran.err).toContain(
      'nothing was sent; this would go to writ.registry.v1.AgentService/SuspendAgent',
    );
    expect(await house.json(['agent', 'get', agentId])).toMatchObject({
      state: 'AGENT_STATE_AWAITING_ATTESTATION',
    });
  });
  it('that cannot be undone wants the id typed', async () => {
    const { agentId: doomed } = (await house.json(registration('Doomed'))) as { agentId: string };
    const mistyped = await house.writ(['agent', 'retire', doomed], { typed: 'agt' });
    expect(mistyped.code).toBe(64);
    expect(mistyped.err).toContain(`this cannot be undone: type \`${doomed}\``);
    expect((await house.writ(['agent', 'retire', doomed, '--no-input'], { typed: doomed })).code).toBe(64);
    expect((await house.writ(['agent', 'retire', doomed, '--confirm', agentId])).code).toBe(64);
    expect((await house.writ(['agent', 'retire', `agents/${doomed}`, '--confirm', doomed])).out).toContain(
      'retired',
    );
  });
  it('may be a file, whose every bad field is named', async () => {
    const file = await house.file('agent.yaml', 'display_name: x\npurpos: y\nenvironment: moon\n');
    const { code, err } = await house.writ(['agent', 'register', '-f', file]);
    expect(code).toBe(3);
    expect(err).toContain('  purpos: is no field');
    expect(err).toContain('  environment: must be one of `development`, `staging`, `production`');
    const fromInput = await house.writ(['agent', 'register', '-f', '-'], { input: '{"purpos": "y"}' });
    expect(fromInput.code).toBe(3);
  });
});

describe('the output', () => {
  it('has colour on a terminal only, and none with NO_COLOR, TERM=dumb, --no-color or --quiet', async () => {
    const list = (argv: string[], wish: object) => house.writ(['person', 'list', ...argv], wish);
    expect((await list([], { tty: true })).out).toContain('\u001b[32mactive');
    for (const { out, err } of [
      await list([], {}),
      await list([], { tty: true, env: { NO_COLOR: '1' } }),
      await list([], { tty: true, env: { TERM: 'dumb' } }),
      await list(['--no-color'], { tty: true }),
      await list(['--quiet'], { tty: true }),
    ])
      expect(out + err).not.toContain('\u001b');
  });
  it('has no hints where a program reads', async () => {
    for (const format of ['json', 'yaml', 'jsonl', 'name'])
      expect((await house.writ(['person', 'list', '--page-size', '1', '-o', format])).err).toBe('');
    expect((await house.writ(['person', 'list', '--page-size', '1', '--quiet'])).err).toBe('');
  });
});

describe('the command as a process', () => {
  const main = join(root, 'apps', 'cli', 'dist', 'main.js');
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };

  it('does the same as in this process', async () => {
    expect(existsSync(main)).toBe(true);
    const { stdout } = await run(join(bin, 'node'), [main, 'agent', 'get', agentId, '-o', 'json'], {
      cwd: house.folder,
      env,
    });
    expect(JSON.parse(stdout)).toEqual(await house.json(['agent', 'get', agentId]));
    const failed = run(join(bin, 'node'), [main, 'agent', 'get', nobody], { cwd: house.folder, env });
    await expect(failed).rejects.toMatchObject({ code: 6, stdout: '' });
  });
  it('ends with 141 and never with 0 when its reader went away before it wrote', async () => {
    const script = 'exec 3> >(true); wait $!; node "$@" >&3';
    const unread = run('bash', ['-c', script, 'bash', main, 'agent', 'get', agentId, '-o', 'json'], {
      cwd: house.folder,
      env: { ...env, PATH: `${bin}:${env.PATH}` },
    });
    await expect(unread).rejects.toMatchObject({ code: 141 });
  });
  it('--show-api prints a command that makes the very call', async () => {
    const { out } = await house.writ(['agent', 'get', agentId, '--show-api']);
    const [grpcurl = '', buf = ''] = out.split('\n');
    expect(grpcurl).toContain(`writ.registry.v1.AgentService/GetAgent`);
    const { stdout } = await run('bash', ['-c', buf], { env: { ...env, PATH: `${bin}:${env.PATH}` } });
    expect(JSON.parse(stdout)).toMatchObject({ agentId, displayName: 'Invoice Agent' });
  });
});
