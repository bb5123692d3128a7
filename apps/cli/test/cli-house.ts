import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { Home, type RunningService, registeredKey, Secret } from '@writ/service';
import { World } from '@writ/testing/world.js';
import { type Ran, type Wish, writ } from './writ.js';

/** A suite with a home folder: real services, and profiles of people in files. */
export class CliHouse {
  readonly home: Home;
  readonly services: RunningService[] = [];
  operatorId = '';

  private constructor(readonly world: World) {
    this.home = new Home(join(world.folder, '.writ'));
  }

  static async build(): Promise<CliHouse> {
    const house = new CliHouse(await World.start());
    await mkdir(house.folder, { recursive: true });
    return house;
  }

  /** Where the user works: inside it, the suite is found without a flag. */
  get folder(): string {
    return join(this.world.folder, 'work');
  }

  async saveSuite(
    services: readonly RunningService[],
    others: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    this.services.push(...services);
    const endpoints = Object.fromEntries(this.services.map(({ name, address }) => [name, address]));
    const { pid } = process;
    await this.home.saveSuite({
      trustDomain: 'writ.test',
      endpoints,
      carrier: 'postgres',
      others,
      startedAt: '2026-09-01T08:00:00.000Z',
      pid,
    });
  }

  /** Registers the first person by the bootstrap certificate and keeps them as `operator`. */
  async addOperator(registry: RunningService, roles: readonly Role[]): Promise<void> {
    const bootstrap = await this.world.identity({ kind: 'bootstrap', id: 'bootstrap' });
    const keys = newKeys();
    const people = this.world.client(registry, PersonServiceService, bootstrap);
    const { personId } = await people.registerPerson({
      displayName: 'operator',
      roles: [...roles],
      jwk: keys.jwk,
      requestId: '',
    });
    this.operatorId = personId;
    await this.saveProfile('operator', personId, keys);
  }

  async saveProfile(name: string, principalId: string, { publicKey, pem, keyId }: Keys): Promise<void> {
    const { trust } = this.world;
    const kind = principalId.startsWith('agt_') ? 'agent' : 'person';
    const spiffeId = `spiffe://writ.test/${kind}/${principalId}`;
    const issued = await trust.issue({ spiffeId, publicKey, ttlSeconds: 86_400 });
    const material = { ...issued, keyPem: new Secret(pem), rootsPem: trust.rootPem };
    await this.home.saveProfile({ name, principalId, material, signingKeyPem: pem, keyId });
  }

  /** A command line at the user's folder. */
  writ(argv: readonly string[], wish: Wish = {}): Promise<Ran> {
    return writ(argv, { cwd: this.folder, ...wish });
  }

  /** The same, with its answer as JSON. */
  async json(argv: readonly string[], wish: Wish = {}): Promise<Record<string, unknown>> {
    const ran = await this.writ([...argv, '-o', 'json'], wish);
    if (ran.out === '') throw new Error(`\`writ ${argv.join(' ')}\` ended with ${ran.code}: ${ran.err}`);
    return JSON.parse(ran.out);
  }

  async file(name: string, content: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  }

  /** Registers, attests and certifies an agent, as the operator who sponsors it. */
  async addAgent(name: string): Promise<string> {
    const digest = `sha-256:${'A'.repeat(43)}`;
    const parts = ['model', 'system_prompt', 'tools', 'image'].map((part) => `${part}_digest=${digest}`);
    const who = ['--name', name, '--builder', 'finance-engineering', '--owner', 'finance'];
    const what = ['--purpose', 'pay supplier invoices', '--sensitivity', 'confidential'];
    const where = ['--environment', 'production', '--provenance', parts.join(',')];
    const sponsor = ['--sponsor', this.operatorId];
    const { agentId } = await this.json(['agent', 'register', ...who, ...what, ...where, ...sponsor]);
    await this.json(['agent', 'attest', String(agentId)]);
    await this.json(['certificate', 'issue', String(agentId)]);
    return String(agentId);
  }

  /** Registers and certifies a person, with a profile of the same name. */
  async addPerson(name: string, role: string): Promise<void> {
    const flags = ['--name', name, '--role', role, '--save-profile', name];
    const { personId } = await this.json(['person', 'register', ...flags]);
    await this.json(['certificate', 'issue', String(personId)]);
  }

  async stop(): Promise<void> {
    await this.world.stop();
  }
}

export type Keys = ReturnType<typeof newKeys>;

export function newKeys() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { jwk, keyId } = registeredKey(JSON.stringify(publicKey.export({ format: 'jwk' })));
  return { publicKey, jwk, keyId, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

export const allRoles: readonly Role[] = [
  Role.ROLE_ADMIN,
  Role.ROLE_OPERATOR,
  Role.ROLE_SPONSOR,
  Role.ROLE_APPROVER,
  Role.ROLE_AUDITOR,
  Role.ROLE_SECURITY,
];

/** Ids and times differ from run to run; everything else of an output is golden. */
export function masked(text: string): string {
  const numbers = new Map<string, string>();
  return text
    .replace(/\b([a-z]{3})_[0-9A-Z]{26}\b/g, (id, kind: string) => {
      const known = numbers.get(id) ?? `${kind}_${String(numbers.size + 1).padEnd(26, '·')}`;
      numbers.set(id, known);
      return known;
    })
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (_, fraction) =>
      fraction ? 'TIME.MS' : 'TIME'.padEnd(20, '·'),
    )
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UUID')
    .replace(/\b[A-Za-z0-9_-]{43}\b/g, '·'.repeat(43))
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS');
}

/** Repeats what depends on facts that are still under way, until it ends with `code`. */
export async function until(code: number, ask: () => Promise<Ran>): Promise<Ran> {
  for (let tries = 0; ; tries += 1) {
    const ran = await ask();
    if (ran.code === code || tries === 60) return ran;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
