import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { policyEngineService } from '../../policy-engine/src/policy-engine.module.js';
import { PolicyEngineSettings } from '../../policy-engine/src/policy-engine.settings.js';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { allRoles, CliHouse } from './cli-house.js';

const schema = `entity Person; entity Team; entity Location;
entity Agent in [Team] { sponsor: Person, sensitivity: String };
entity Resource in [Location] { type: String, location: String, identifier: String };
action "alert:read" appliesTo { principal: Agent, resource: Resource, context: { trust: Long } };
`;
const read = `@id("read-alerts")
permit (principal, action == Action::"alert:read", resource)
when { context.trust >= 30 };
`;
const tests = `given:
  agent: { owner: soc, sensitivity: internal }
  action: { type: alert, name: read, identifier: alerts/1 }
  environment: production
tests:
  - name: reads an alert
    trust: 50
    expect: { outcome: allow, policies: [read-alerts] }
  - name: needs some trust
    trust: 20
    expect: deny
`;

let house: CliHouse;

beforeAll(async () => {
  house = await CliHouse.build();
  const own = new RegistrySettings({ trustDomainDir: house.world.trustDomainDir });
  const registry = await house.world.service(registryService, { own });
  const engine = await house.world.service(policyEngineService, {
    own: new PolicyEngineSettings({
      sessionBrokerAddress: '127.0.0.1:1',
      tokenIssuer: 'https://broker.writ.test',
      tokenAudience: 'writ',
      factsAgeMsMax: 3_000,
      cedarShadowOneIn: 1,
    }),
  });
  await house.saveSuite([registry, engine]);
  await house.addOperator(registry, allRoles);
  await folder('good', {});
  // The engine hears of the first person by their fact.
  for (let tries = 0; (await house.writ(['policy', 'list'])).code !== 0 && tries < 60; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
});
afterAll(async () => house?.stop());

/** A policy folder with some files that differ. */
async function folder(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const whole = { 'schema.cedarschema': schema, 'b-read.cedar': read, 'tests/read.yaml': tests, ...files };
  for (const [file, content] of Object.entries(whole)) {
    const path = join(house.folder, name, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return name;
}
const forbid = '// a comment\n@id("none")\nforbid (principal, action, resource);\n';
const policy = (...argv: string[]) => house.writ(['policy', ...argv]);

describe('writ policy check', () => {
  it('says ok of a folder that is right', async () =>
    expect(await policy('check', 'good')).toMatchObject({ code: 0, out: 'ok\n' }));
  it('names file, line and column of what does not parse, with a caret under it', async () => {
    const { code, out } = await policy('check', await folder('slip', { 'a.cedar': `${forbid}permit [` }));
    expect(code).toBe(3);
    expect(out).toMatch(/^slip\/a\.cedar:4:8: .+\n {2}permit \[\n {9}\^\n1 problem\n$/);
  });
  it('counts lines in the file and not in what is sent', async () => {
    const wrong = read.replace('context.trust', 'context.thrust');
    const { out } = await policy('check', await folder('late', { 'a.cedar': forbid, 'b-read.cedar': wrong }));
    expect(out).toContain('late/b-read.cedar:3:8: ');
    expect(out).toContain('\n  when { context.thrust >= 30 };\n         ^\n');
  });
  it('names the file of a schema that does not fit', async () => {
    const { code, out } = await policy(
      'check',
      await folder('misfit', { 'schema.cedarschema': schema.replace('Long', 'String') }),
    );
    expect(code).toBe(3);
    expect(out).toContain('misfit/schema.cedarschema: `trust` of the context of action `alert:read` is Long');
  });
  it('gives the same as JSON', async () => {
    const { code, out } = await policy('check', 'slip', '-o', 'json');
    expect(code).toBe(3);
    expect(JSON.parse(out).problems[0]).toMatchObject({ file: 'slip/a.cedar', line: 4, column: 8 });
  });
  it.each([
    [
      'tests/read.yaml',
      tests.replace('trust: 50', 'thrust: 50'),
      'tests/read.yaml:7:5: `tests[0].thrust` is no field',
    ],
    ['tests/read.yaml', 'tests: 1', 'tests/read.yaml:1:1: must have `tests`, a list'],
  ])('is not right with a test file that is not: %s', async (file, content, message) => {
    const { code, err } = await policy('check', await folder('unread', { [file]: content }));
    expect(code).toBe(3);
    expect(err).toContain(`unread/${message}`);
  });
  it('needs policies and a schema', async () => {
    const { code, err } = await policy('check', 'nowhere');
    expect(code).toBe(3);
    expect(err).toContain('`nowhere` has no `*.cedar`');
  });
});

describe('writ policy test', () => {
  it('runs every test as the engine would decide', async () =>
    expect(await policy('test', 'good')).toMatchObject({
      code: 0,
      out: 'ok      reads an alert\nok      needs some trust\n2 passed, 0 failed\n',
    }));
  it('says of each that failed what was expected, what came, and where it stands', async () => {
    const { code, out } = await policy('test', await folder('denied', { 'a.cedar': forbid }));
    expect(code).toBe(3);
    expect(out).toBe(`failed  reads an alert
        expected allow by \`read-alerts\`, got deny by \`none\`
        at denied/tests/read.yaml:6
ok      needs some trust
1 passed, 1 failed
`);
  });
  it('gives the same as JSON', async () => {
    const { code, out } = await policy('test', 'denied', '-o', 'json');
    expect(code).toBe(3);
    expect(JSON.parse(out).results[0]).toMatchObject({
      name: 'reads an alert',
      outcome: 'OUTCOME_DENY',
      policies: ['none'],
      file: 'denied/tests/read.yaml',
      line: 6,
    });
  });
  it('names file and line of a value that the engine does not take', async () => {
    const { code, err } = await policy(
      'test',
      await folder('bold', { 'tests/read.yaml': tests.replace('50', '500') }),
    );
    expect(code).toBe(3);
    expect(err).toContain('bold/tests/read.yaml:7:5: `trust` must be a whole number from 0 to 100');
  });
  it('does not run on texts that are not right', async () => {
    const { code, out, err } = await policy('test', 'slip');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('slip/a.cedar:4:8: ');
  });
});

describe('writ policy apply', () => {
  it('refuses a folder whose tests fail, and names them', async () => {
    const { code, err } = await policy('apply', 'denied');
    expect(code).toBe(3);
    expect(err).toContain('writ policy apply: the policy set was not applied: 1 test failed\n');
    expect(err).toContain('        at denied/tests/read.yaml:6\n');
    expect((await policy('get')).code).toBe(6);
  });
  it('refuses texts that are not right, in terms of their files', async () => {
    const { code, err } = await policy('apply', 'slip');
    expect(code).toBe(3);
    expect(err).toContain('slip/a.cedar:4:8: ');
    const { err: status } = await policy('apply', 'slip', '-o', 'json');
    expect(JSON.parse(status)).toMatchObject({
      code: 3,
      details: [{ reason: 'INVALID' }, { fieldViolations: [{ field: 'slip/a.cedar:4:8' }] }],
    });
  });
  it('applies a folder, or what two flags name, and says when they contradict', async () => {
    const preview = await house.json(['policy', 'apply', 'good', '--dry-run']);
    expect(preview).toMatchObject({
      version: 1,
      tests: [{ name: 'reads an alert' }, { name: 'needs some trust' }],
    });
    expect(await house.json(['policy', 'apply', 'good'])).toMatchObject({ version: 1, active: true });
    const flags = ['--policies-file', 'good/b-read.cedar', '--schema-file', 'good/schema.cedarschema'];
    expect(await house.json(['policy', 'apply', ...flags])).toMatchObject({ version: 2, active: true });
    const both = await policy('apply', 'good', ...flags);
    expect(both.code).toBe(64);
    expect(both.err).toContain('`DIR` says it already; leave out `--policies-file`');
    const half = await policy('apply', ...flags.slice(0, 2));
    expect(half.code).toBe(64);
    expect(half.err).toContain('`DIR` or `--schema-file` is needed');
  });
});

describe('writ policy diff and rollback', () => {
  it('shows policies, schema and tests that differ, against the active set or another', async () => {
    const list = (await policy('list', '-o', 'name')).out.trim().split('\n');
    const stricter = read.replace('>= 30', '>= 60');
    await folder('stricter', { 'a.cedar': forbid, 'b-read.cedar': stricter });
    const { code, out } = await policy('diff', 'stricter', '--against', list.at(-1) ?? '');
    expect(code).toBe(0);
    expect(out).toMatch(`policy none: added
  +@id("none")
  +forbid (principal, action, resource);
policy read-alerts: changed
   @id("read-alerts")
   permit (principal, action == Action::"alert:read", resource)
  -when { context.trust >= 30 };
  +when { context.trust >= 60 };
2 differences against pol_`);
    const { differences } = await house.json(['policy', 'diff', 'good']);
    expect(differences).toMatchObject([
      { kind: 'test', id: 'needs some trust', change: 'added' },
      { kind: 'test', id: 'reads an alert', change: 'added' },
    ]);
  });
  it('brings an earlier set back, tests and all', async () => {
    const [first = ''] = (await policy('list', '-o', 'name')).out.trim().split('\n').toReversed();
    const back = await house.json(['policy', 'rollback', first, '--note', 'as it was']);
    expect(back).toMatchObject({ version: 3, active: true, restoredPolicySetId: first.split('/')[1] });
    expect((await policy('diff', 'good')).out).toMatch(/^no differences against pol_\w+, version 3\n$/);
    expect((await policy('rollback', 'pol_01K41M7JG00000000000000P00')).code).toBe(6);
  });
});
