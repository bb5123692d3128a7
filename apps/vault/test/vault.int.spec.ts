import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { LeaseServiceService } from '@writ/contracts/writ/vault/v1/lease.js';
import { SecretServiceService } from '@writ/contracts/writ/vault/v1/secret.js';
import { connect, type Identity, refusalOf, serviceSpiffeId, type Who } from '@writ/service';
import { leaseAccess } from '../src/lease/lease.rpc.js';
import { secretAccess } from '../src/secret/secret.rpc.js';
import { fieldsOf, leaseWish, reasonOf } from './asking.js';
import { ADMIN_PASSWORD, House } from './house.js';

let house: House;
const callers = new Map<Who | 'role:none', Identity>();
beforeAll(async () => {
  house = await House.build();
  callers.set('agent', (await house.agent()).identity);
  callers.set('enforcement-point', await house.world.identity({ kind: 'enforcement-point', id: 'erp' }));
  callers.set('bootstrap', await house.world.identity({ kind: 'bootstrap', id: 'bootstrap' }));
  for (const id of ['registry', 'policy-engine', 'session-broker', 'vault'] as const)
    callers.set(`service:${id}`, await house.world.identity({ kind: 'service', id }));
  callers.set('role:none', await house.person([]));
  for (const [who, role] of [
    ['role:admin', Role.ROLE_ADMIN],
    ['role:operator', Role.ROLE_OPERATOR],
    ['role:sponsor', Role.ROLE_SPONSOR],
    ['role:approver', Role.ROLE_APPROVER],
    ['role:auditor', Role.ROLE_AUDITOR],
    ['role:security', Role.ROLE_SECURITY],
  ] as const)
    callers.set(who, await house.person([role]));
});
afterAll(() => house.close());

const golden = {
  createSecret: ['role:admin', 'role:operator', 'role:security'],
  addSecretVersion: ['role:admin', 'role:operator', 'role:security'],
  destroySecretVersion: ['role:admin', 'role:operator', 'role:security'],
  getSecret: ['role:admin', 'role:operator', 'role:auditor', 'role:security'],
  listSecrets: ['role:admin', 'role:operator', 'role:auditor', 'role:security'],
  readSecret: ['agent'],
  defineDatabaseRole: ['role:admin', 'role:operator', 'role:security'],
  getDatabaseRole: [
    'agent',
    'enforcement-point',
    'role:admin',
    'role:operator',
    'role:auditor',
    'role:security',
  ],
  listDatabaseRoles: [
    'agent',
    'enforcement-point',
    'role:admin',
    'role:operator',
    'role:auditor',
    'role:security',
  ],
  issueLease: ['agent', 'enforcement-point'],
  renewLease: ['agent'],
  revokeLease: ['agent', 'role:admin', 'role:operator', 'role:security'],
  getLease: ['agent', 'role:admin', 'role:operator', 'role:auditor', 'role:security'],
  listLeases: ['agent', 'role:admin', 'role:operator', 'role:auditor', 'role:security'],
};

describe('each call of the vault', () => {
  it.each(Object.entries(golden))('%s is for exactly those it is meant for', async (name, meant) => {
    const let_in: string[] = [];
    for (const [who, identity] of callers)
      if ((await reasonOf(ask(identity, name))) !== 'CALLER_NOT_ALLOWED') let_in.push(who);
    expect(let_in.sort()).toEqual([...meant].sort());
  });

  it('has a row here', () => {
    expect(Object.keys(golden).sort()).toEqual(
      [...Object.keys(secretAccess), ...Object.keys(leaseAccess)].sort(),
    );
  });

  it('refuses what is not well formed and names every bad field', async () => {
    const fields = await fieldsOf(
      house.leases(house.admin).defineDatabaseRole({
        displayName: 'ERP/*',
        secretId: 'agt_01K41M7JG0000000000000000A',
        memberOf: [],
        ttlSecondsMax: 59,
        requestId: 'x',
      }),
    );
    expect(fields).toEqual(['request_id']);
    const more = await fieldsOf(
      house.leases(house.admin).defineDatabaseRole({
        displayName: 'ERP/*',
        secretId: 'agt_01K41M7JG0000000000000000A',
        memberOf: ['a'.repeat(64)],
        ttlSecondsMax: 86_401,
        requestId: '',
      }),
    );
    expect(more).toEqual(['display_name', 'secret_id', 'member_of', 'ttl_seconds_max']);
    const agent = callers.get('agent');
    if (agent === undefined) throw new Error('no agent');
    const issue = await fieldsOf(
      house.leases(agent).issueLease(
        leaseWish('', 'dbr_1', {
          presentedCertificateSha256: 'x',
          ttlSeconds: -1,
          approvalId: 'apr_1',
          atLeast: [{ source: 'nowhere', pos: 1n << 60n }],
        }),
      ),
    );
    expect(issue).toEqual([
      'token',
      'presented_certificate_sha256',
      'database_role_id',
      'ttl_seconds',
      'approval_id',
      'at_least',
    ]);
  });

  it('refuses roles of PostgreSQL itself, secrets that do not exist, and names twice', async () => {
    const role = await house.databaseRole();
    const define = (more: object) =>
      reasonOf(house.leases(house.admin).defineDatabaseRole({ ...role, requestId: '', ...more }));
    expect(await define({})).toBe('DATABASE_ROLE_NAME_TAKEN');
    expect(await define({ displayName: 'other', memberOf: ['pg_monitor'] })).toBe(
      'DATABASE_ROLE_MEMBER_RESERVED',
    );
    expect(await define({ displayName: 'other', secretId: house.world.clock.newId('sec') })).toBe(
      'SECRET_UNKNOWN',
    );
    const roles = await house.leases(house.admin).listDatabaseRoles({ pageSize: 1, pageToken: '' });
    expect(roles.databaseRoles).toHaveLength(1);
  });
});

describe('what is secret', () => {
  const value = 'correct-horse-battery-staple-value';

  it('is in no fact, no row, no record of the bus, no log and no error', async () => {
    const agent = await house.agent();
    const session = await house.session(agent);
    const keeper = house.secrets(house.admin);
    const requestId = '018f3f6e-0000-4000-8000-000000000001';
    const wish = { displayName: 'grep me', owner: 'finance', value: Buffer.from(value), requestId };
    const { secretId } = await keeper.createSecret(wish);
    const reused = await keeper.createSecret({ ...wish, owner: 'others' }).catch((cause: unknown) => cause);
    const { token } = session;
    const read = { token, secretId, version: 0, approvalId: '', atLeast: [], requestId: '' };
    expect((await house.secrets(agent.identity).readSecret(read)).value.toString()).toBe(value);
    const role = await house.databaseRole();
    const broken = await house.databaseRole({
      url: `postgres://erp_admin:${ADMIN_PASSWORD}@127.0.0.1:1/erp`,
    });
    const nonsense = await house.databaseRole({ url: value });
    const issue = (databaseRoleId: string) =>
      house.leases(agent.identity).issueLease(leaseWish(token, databaseRoleId));
    const { lease, password } = await issue(role.databaseRoleId);
    const errors = [
      reused,
      await issue(broken.databaseRoleId).catch((cause: unknown) => cause),
      await issue(nonsense.databaseRoleId).catch((cause: unknown) => cause),
    ];
    expect(errors.map((error) => refusalOf(error)?.reason)).toEqual([
      'REQUEST_ID_REUSED',
      'DATABASE_UNAVAILABLE',
      'DATABASE_ADMIN_INVALID',
    ]);
    await house.end(session);
    const leaseId = lease?.leaseId ?? '';
    await house.until(async () => (await house.story(leaseId)).at(-1) === 'LeaseRevoked');

    const kept = [
      await everyRow(house),
      house.logged.join('\n'),
      errors.map((error) => `${error}`).join('\n'),
    ];
    expect(kept[0]).toContain(leaseId);
    expect(kept[1]).toContain('IssueLease');
    for (const secret of [value, password, ADMIN_PASSWORD])
      for (const text of kept)
        for (const spelling of spellings(secret)) expect(text.includes(spelling)).toBe(false);
    expect(kept[1]).not.toContain(token);
  });
});

/** As text, and as PostgreSQL and JavaScript print bytes. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('hex'),
    bytes.toString('base64').slice(0, -4),
    bytes.toString('base64url').slice(0, -4),
  ];
}

/** Every row of every table of the database that all services share. */
async function everyRow({ world, sql }: House): Promise<string> {
  const query = (text: string) => sql(text, world.ownerUrl);
  const tables = await query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  expect(tables.length).toBeGreaterThan(20);
  const texts: string[] = [];
  for (const { name } of tables)
    texts.push(...(await query(`select t::text as row from ${name} t`)).map(({ row }) => String(row)));
  return texts.join('\n');
}

/** The call with an empty request: whoever is let in learns that it is not well formed. */
async function ask(identity: Identity, name: string): Promise<unknown> {
  const definition = { ...SecretServiceService, ...LeaseServiceService };
  const method = Object.entries(definition).find(([known]) => known === name)?.[1];
  if (method === undefined) throw new Error(`no call \`${name}\``);
  const client = connect({
    identity,
    address: house.vault.address,
    serverSpiffeId: serviceSpiffeId(identity.trustDomain, 'vault'),
    definition: {
      call: {
        path: method.path,
        requestStream: false,
        responseStream: false,
        requestSerialize: () => Buffer.alloc(0),
        requestDeserialize: () => ({}),
        responseSerialize: () => Buffer.alloc(0),
        responseDeserialize: () => ({}),
      },
    },
    clock: house.world.clock,
  });
  try {
    return await client.call({});
  } finally {
    client.close();
  }
}
