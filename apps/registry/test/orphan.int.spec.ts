import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentServiceService } from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { Identity, RunningService } from '@writ/service';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { RegistrySettings, registryService } from '../src/registry.module.js';

const AGENTS = 120;

let world: World;
let registry: RunningService;
let sql: pg.Pool;

beforeAll(async () => {
  world = await World.start();
  const own = new RegistrySettings({ trustDomainDir: world.trustDomainDir });
  registry = await world.service(registryService, { own });
  sql = new pg.Pool({ connectionString: world.ownerUrl, max: 1 });
});
afterAll(async () => {
  await sql?.end();
  await world?.stop();
});

const people = (by: Identity) => world.client(registry, PersonServiceService, by);
const agents = (by: Identity) => world.client(registry, AgentServiceService, by);

async function person(by: Identity, roles: Role[]) {
  const request = { displayName: 'somebody', roles, jwk: '', requestId: '' };
  const { personId } = await people(by).registerPerson(request);
  return { id: personId, identity: await world.identity({ kind: 'person', id: personId }) };
}

const register = (by: Identity, sponsorId: string) =>
  agents(by).registerAgent({
    displayName: 'invoice-agent',
    builder: 'finance-engineering',
    owner: 'finance',
    sponsorId,
    blueprintId: '',
    purpose: 'pay supplier invoices',
    environment: Environment.ENVIRONMENT_PRODUCTION,
    sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
    provenance: undefined,
    jwk: JSON.stringify(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
    ),
    requestId: '',
  });

/** How many agents each transaction orphaned. */
async function orphaned(sponsorId: string): Promise<readonly number[]> {
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::int as count from registry.event e
     where type = 'AgentOrphaned' and exists (
       select from registry_view.agent a where a.sponsor_id = $1 and e.part_key = a.id)
     group by e.xmin::text`,
    [sponsorId],
  );
  return rows.map(({ count }) => count);
}

describe('a sponsor of many agents who leaves', () => {
  it('orphans each of them, in small transactions that keep no other change waiting', async () => {
    const bootstrap = await world.identity({ kind: 'bootstrap', id: 'bootstrap' });
    const admin = await person(bootstrap, [Role.ROLE_ADMIN, Role.ROLE_OPERATOR]);
    const leaving = await person(admin.identity, [Role.ROLE_SPONSOR]);
    const staying = await person(admin.identity, [Role.ROLE_SPONSOR]);
    const { agentId: other } = await register(admin.identity, staying.id);
    for (let n = 0; n < AGENTS; n += 1) await register(admin.identity, leaving.id);
    await people(admin.identity).markPersonLeft({ personId: leaving.id, etag: '', requestId: '' });
    const total = async () => (await orphaned(leaving.id)).reduce((sum, count) => sum + count, 0);
    for (let tries = 0; tries < 200 && (await total()) < AGENTS; tries += 1) await delay(50);
    expect(await total()).toBe(AGENTS);
    expect(Math.max(...(await orphaned(leaving.id)))).toBeLessThanOrEqual(50);
    expect((await sql.query('select from registry.agent_due')).rowCount).toBe(0);
    expect(await orphaned(staying.id)).toEqual([]);
    const { rows } = await sql.query(
      `select distinct meta->>'cause' as cause from registry.event where type = 'AgentOrphaned'`,
    );
    expect(rows).toEqual([{ cause: expect.stringMatching(/^fact:registry\/\d+$/) }]);
    expect((await agents(admin.identity).getAgent({ agentId: other })).sponsorId).toBe(staying.id);
  });
});
