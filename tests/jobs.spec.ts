import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@writ/event-store';
import { Home } from '@writ/service';
import { startKafka, type TestKafka } from '@writ/testing/kafka.js';
import { startPostgres, type TestPostgres } from '@writ/testing/postgres.js';
import { clientsOf } from '@writ/writd/suite/clients.js';
import { suiteServices } from '@writ/writd/suite/suite.js';

/** The programs of docker-compose.yml, as processes, on the environment that it gives them. */

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

let folder: string;
let postgres: TestPostgres;
let port: number;
const inside = (...parts: string[]) => join(folder, ...parts);

function started(
  program: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
) {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH, ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, output })));
  return { child, ended };
}

const run = (
  program: string,
  environment: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
) => started(program, environment, args).ended;
const job = (name: string) => `apps/writd/dist/jobs/${name}.js`;

const identities = () =>
  run(job('identities'), {
    WRIT_TRUST_DOMAIN_DIR: inside('trust'),
    WRIT_IDENTITIES_DIR: inside('identities'),
    WRIT_KEY_FILE: inside('kek'),
  });
const migrate = () =>
  run(job('migrate'), {
    WRIT_OWNER_URL_FILE: inside('urls', 'owner-url'),
    WRIT_DATABASE_URL_DIR: inside('urls'),
  });
const healthcheck = () =>
  run('deploy/docker/healthcheck.mjs', {
    WRIT_IDENTITY_DIR: inside('identities', 'registry'),
    WRIT_LISTEN: `0.0.0.0:${port}`,
  });
const operator = () =>
  run(job('operator'), {
    WRIT_TRUST_DOMAIN_DIR: inside('trust'),
    WRIT_HOME_DIR: inside('home'),
    WRIT_REGISTRY_ADDRESS: `127.0.0.1:${port}`,
  });
const makeSecrets = () => run('deploy/docker/make-secrets.mjs', {}, [inside('secrets')]);

/** What `make-secrets.mjs` made, with the test's server in place of the composition's. */
async function writeUrls(): Promise<void> {
  const owner = await postgres.database('writ');
  await mkdir(inside('urls'));
  await writeFile(inside('urls', 'owner-url'), owner);
  for (const service of suiteServices) {
    const name = `${service}-database-url`;
    const made = await readFile(inside('secrets', name), 'utf8');
    await writeFile(inside('urls', name), made.replace('@postgres:5432/', `@127.0.0.1:${postgres.port}/`));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-jobs-'));
  postgres = await startPostgres();
  port = await freePort();
  expect((await makeSecrets()).code).toBe(0);
  await writeUrls();
}, 60_000);

afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the secrets', () => {
  it('are closed to other users of the machine, each random, and made once', async () => {
    expect((await stat(inside('secrets'))).mode & 0o777).toBe(0o700);
    const read = () =>
      Promise.all(suiteServices.map((name) => readFile(inside('secrets', `${name}-database-url`), 'utf8')));
    const before = await read();
    expect(new Set(before.map((url) => new URL(url).password)).size).toBe(suiteServices.length);
    expect(await makeSecrets()).toMatchObject({ code: 0 });
    expect(await read()).toEqual(before);
  });
});

describe('the jobs', () => {
  it('make a trust domain and an identity of each service, and keep the keys at the second run', async () => {
    const first = await identities();
    expect(first).toMatchObject({ code: 0 });
    const [root, kek] = await Promise.all([readFile(inside('trust', 'root.crt')), readFile(inside('kek'))]);
    expect(await identities()).toMatchObject({ code: 0 });
    expect(await readFile(inside('trust', 'root.crt'))).toEqual(root);
    expect(await readFile(inside('kek'))).toEqual(kek);
    for (const service of suiteServices) {
      expect((await stat(inside('identities', service, 'tls.key'))).mode & 0o777).toBe(0o600);
      expect(first.output).toContain(`spiffe://writ.local/service/${service}`);
    }
  });

  it('make the schemas and roles, twice without harm, and say no password', async () => {
    const first = await migrate();
    expect(first).toMatchObject({ code: 0 });
    expect(await migrate()).toEqual(first);
    const { password } = new URL(await readFile(inside('urls', 'vault-database-url'), 'utf8'));
    expect(first.output).not.toContain(password);
  });

  it('carry a service that says it is healthy, and an operator who may use it', async () => {
    expect(await healthcheck()).toMatchObject({ code: 1 });
    const registry = started('apps/registry/dist/main.js', {
      WRIT_LISTEN: `127.0.0.1:${port}`,
      WRIT_IDENTITY_DIR: inside('identities', 'registry'),
      WRIT_DATABASE_URL_FILE: inside('urls', 'registry-database-url'),
      WRIT_TRUST_DOMAIN_DIR: inside('trust'),
      WRIT_BUS: 'postgres',
      WRIT_LOG_LEVEL: 'warn',
    });
    try {
      let health = await healthcheck();
      for (let tries = 0; tries < 40 && health.code !== 0; tries += 1) {
        await delay(250);
        health = await healthcheck();
      }
      expect(health).toEqual({ code: 0, output: '' });
      expect(await operator()).toMatchObject({ code: 0, output: 'operator: profiles operator\n' });
      const before = (await new Home(inside('home')).profile('operator')).principalId;
      expect(await operator()).toMatchObject({ code: 0 });
      const { identity, principalId } = await new Home(inside('home')).profile('operator');
      expect(principalId).toBe(before);
      const record = await new Home(inside('home')).suite();
      expect(record.endpoints.audit).toBe('127.0.0.1:7406');
      const clients = clientsOf(
        { ...record, endpoints: { ...record.endpoints, registry: `127.0.0.1:${port}` } },
        identity,
      );
      const person = await clients.people.getPerson({ personId: principalId }, { deadlineMs: 10_000 });
      expect(person.displayName).toBe('operator');
      clients.close();
      identity.stop();
    } finally {
      registry.child.kill('SIGTERM');
    }
    expect(await registry.ended).toMatchObject({ code: 0 });
  }, 120_000);

  it.each(['identities', 'migrate', 'topics', 'operator'])(
    'say in one line which setting `%s` lacks, and end with 78',
    async (name) => {
      const { code, output } = await run(job(name));
      expect(code).toBe(78);
      expect(output).toMatch(new RegExp(`^${name} failed: WRIT_[A-Z_]+ is missing: [^\n]+\n$`));
    },
  );

  it('say in one line that the database is not there', async () => {
    const urls = {
      WRIT_OWNER_URL: 'postgres://postgres:hunter2@127.0.0.1:1/writ',
      WRIT_DATABASE_URL_DIR: inside('urls'),
    };
    const { code, output } = await run(job('migrate'), urls);
    expect(code).toBe(1);
    expect(output).toMatch(/^migrate failed: [^\n]*ECONNREFUSED[^\n]*\n$/);
    expect(output).not.toContain('hunter2');
  });
});

const withKafka = process.env.WRIT_TEST_NO_KAFKA === undefined ? describe : describe.skip;

withKafka('the topics', () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 180_000);
  afterAll(async () => {
    await kafka?.stop();
  });

  it('are made by a job, twice without harm', async () => {
    const settings = { WRIT_KAFKA_BROKERS: kafka.brokers.join(','), WRIT_KAFKA_REPLICATION: '1' };
    const first = await run(job('topics'), settings);
    expect(first).toMatchObject({ code: 0 });
    for (const service of suiteServices) expect(first.output).toContain(`writ.${service}.facts.v1`);
    expect(await run(job('topics'), settings)).toEqual(first);
  }, 120_000);
});
