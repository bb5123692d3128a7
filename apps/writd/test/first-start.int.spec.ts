import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Home, type NewProfile, type SuiteRecord } from '@writ/service';
import { clientsOf } from '../src/suite/clients.js';
import { DataFolder } from '../src/suite/data-folder.js';
import { definitions } from '../src/suite/definitions.js';
import { type Environment, environmentOf } from '../src/suite/environment.js';
import { type Ground, layGround, TRUST_DOMAIN } from '../src/suite/ground.js';
import { ensureOperator, renewProfile } from '../src/suite/operator.js';
import { portsFrom } from '../src/suite/ports.js';
import { Readiness } from '../src/suite/readiness.js';
import { Stops } from '../src/suite/stops.js';
import { freePortBase, newFolder } from './running.js';

const stops = new Stops();
const place = newFolder();
let folder: DataFolder;
let ground: Ground;
let environment: Environment;
let record: SuiteRecord;

/** A registry as a process of its own, with a channel to whoever started it. */
function startRegistry(): ChildProcess {
  return spawn(process.execPath, ['apps/registry/dist/main.js'], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

const exitOf = (child: ChildProcess) =>
  new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );

beforeAll(async () => {
  const ports = portsFrom(await freePortBase());
  folder = DataFolder.open(place.path);
  ground = await layGround({
    folder,
    ports,
    kafka: false,
    kafkaBrokers: [],
    definitions: [definitions.registry],
    progress: () => undefined,
    stops,
  });
  const address = `127.0.0.1:${ports.services.registry}`;
  environment = environmentOf('registry', ground, ports, folder);
  record = {
    trustDomain: TRUST_DOMAIN,
    // Clients are made for all; only the registry is called.
    endpoints: Object.fromEntries(Object.keys(definitions).map((name) => [name, address])),
    carrier: 'postgres',
    others: {},
    startedAt: '',
    pid: process.pid,
  };
}, 120_000);

afterAll(async () => {
  await stops.all();
  folder?.release();
  place.remove();
}, 60_000);

describe('a service whose starter is gone before it serves', () => {
  it('ends all the same, instead of serving for ever', async () => {
    const orphan = startRegistry();
    const exit = exitOf(orphan);
    // What its starter's death does: the channel closes while the program still loads.
    orphan.disconnect();
    const late = delay(30_000, 'it serves', { ref: false });
    const how = await Promise.race([exit, late]);
    orphan.kill('SIGKILL');
    expect(how).toBe(0);
  }, 60_000);
});

describe('a first start that ends before the operator is saved', () => {
  let registry: ChildProcess;

  beforeAll(async () => {
    registry = startRegistry();
    const readiness = new Readiness();
    const address = record.endpoints.registry ?? '';
    while (!(await readiness.isServing(folder.inside('identities', 'registry'), address, 'registry')))
      await delay(50);
  }, 60_000);

  afterAll(async () => {
    const exit = exitOf(registry);
    registry.kill('SIGTERM');
    await exit;
  });

  it('is gone on with by the next: the same person, once, and no file of the first attempt', async () => {
    class CutShort extends Home {
      override async saveProfile(_: NewProfile): Promise<void> {
        throw new Error('the process ends here');
      }
    }
    const cut = new CutShort(folder.path);
    await expect(ensureOperator(cut, record, ground.trust)).rejects.toThrow('the process ends here');
    // As writd does, for whatever profiles there are.
    for (const name of await cut.profiles()) await renewProfile(cut, name, ground.trust);

    const home = new Home(folder.path);
    await ensureOperator(home, record, ground.trust);
    const { identity, principalId, keyId } = await home.profile('operator');
    const clients = clientsOf(record, identity);
    try {
      const page = { role: 0, pageSize: 10, pageToken: '' };
      const { people } = await clients.people.listPeople(page, { deadlineMs: 10_000 });
      expect(people.map(({ personId, keys }) => [personId, keys.map((key) => key.keyId)])).toEqual([
        [principalId, [keyId]],
      ]);
    } finally {
      clients.close();
      identity.stop();
    }
    expect(existsSync(folder.inside('profiles', 'operator', 'request-id'))).toBe(false);
  }, 60_000);

  it('does not hinder later starts by a profile that has a certificate and no person yet', async () => {
    const half = (...file: string[]) => folder.inside('profiles', 'half', ...file);
    cpSync(folder.inside('profiles', 'operator'), half(), { recursive: true });
    rmSync(half('profile.json'));
    const before = readFileSync(half('tls.crt'), 'utf8');
    const home = new Home(folder.path);
    expect(await home.profiles()).toContain('half');
    for (const name of await home.profiles()) await renewProfile(home, name, ground.trust);
    expect(readFileSync(half('tls.crt'), 'utf8')).toBe(before);
  });
});
