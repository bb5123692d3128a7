import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { MAX_REQUEST_BYTES, type RemoteError } from '@writ/service';
import { definitions } from '@writ/writd/suite/definitions.js';
import { TOKEN_ISSUER } from '@writ/writd/suite/environment.js';
import { type SuiteService, suiteServices } from '@writ/writd/suite/suite.js';
import { assertionOf } from '@writ/writd/walk/agent-session.js';
import { newKeys } from '@writ/writd/walk/cast.js';
import { type Mistake, mistakesIn, type Request, recursive, tooLarge, wrongBytes } from './bad-requests.js';
import { Contract, type ContractMethod } from './contract.js';
import { RawClient } from './raw-client.js';
import { type Party, WholeSuite } from './whole-suite.js';
import {
  erpDatabase,
  provenance,
  starterPolicies,
  starterSchema,
  type WorkingAgent,
  workingAgent,
} from './working-agent.js';

const contract = new Contract();
const methods = contract.methods.filter(({ requestStream }) => !requestStream);
const CALLS_AT_ONCE = 16;

let suite: WholeSuite;
let work: WorkingAgent;
let everyone: Party;
let before: Record<string, number>;
const clients = new Map<string, RawClient>();

beforeAll(async () => {
  suite = await WholeSuite.start();
  work = await workingAgent(suite, await erpDatabase(suite));
  const { ROLE_ADMIN, ROLE_OPERATOR, ROLE_SPONSOR, ROLE_APPROVER, ROLE_AUDITOR, ROLE_SECURITY } = Role;
  const all = [ROLE_ADMIN, ROLE_OPERATOR, ROLE_SPONSOR, ROLE_APPROVER, ROLE_AUDITOR, ROLE_SECURITY];
  everyone = await suite.person(all);
  await suite.settled();
  before = await suite.heads();
}, 120_000);

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await suite?.stop();
});

function placeOf({ path }: ContractMethod): { service: SuiteService; isForPeople: boolean } {
  for (const service of suiteServices)
    for (const edge of definitions[service].edges)
      for (const [name, method] of Object.entries(edge.service))
        if (method.path === path)
          return { service, isForPeople: edge.access[name]?.some((who) => who.startsWith('role:')) ?? false };
  throw new Error(`nobody serves \`${path}\``);
}

/** As somebody who may make the call: a person with every role, or the agent at work. */
function clientOf(method: ContractMethod): RawClient {
  const { service, isForPeople } = placeOf(method);
  const { identity, id } = isForPeople ? everyone : work.agent;
  const known = clients.get(`${service} ${id}`) ?? new RawClient(suite.service(service), identity);
  clients.set(`${service} ${id}`, known);
  return known;
}

interface Outcome extends Mistake {
  readonly error: RemoteError | undefined;
}

async function outcomes(method: ContractMethod, mistakes: readonly Mistake[]): Promise<Outcome[]> {
  const client = clientOf(method);
  const found: Outcome[] = [];
  for (let at = 0; at < mistakes.length; at += CALLS_AT_ONCE) {
    const some = mistakes.slice(at, at + CALLS_AT_ONCE).map(async (mistake) => {
      const answer = await client.call(method, mistake.bytes);
      found.push({ ...mistake, error: 'error' in answer ? answer.error : undefined });
    });
    await Promise.all(some);
  }
  return found;
}

const said = ({ title, field, error }: Outcome) =>
  `${field === '' ? 'the whole' : `\`${field}\``} as ${title}: ${error === undefined ? 'answered' : `${error.status} ${error.reason} ${error.fields.map((one) => one.field)}`}`;

/** A request of each call that would do what it says, were it not for the one mistake. */
function rightRequest({ request, name }: ContractMethod): Request {
  const fields = contract.fields(request).map((field) => field.name);
  const known = knownValues();
  const right = Object.fromEntries(
    fields.flatMap((field) => (field in known ? [[field, known[field]]] : [])),
  );
  return { ...right, ...(special(known)[name] ?? {}) };
}

const policyTest = {
  name: 'pays one euro',
  agent: { owner: 'finance', sensitivity: 2 },
  action: {
    type: 'payment',
    name: 'pay',
    identifier: 'invoices/1',
    amount: { currency_code: 'EUR', value: '1' },
  },
  trust: 70,
  environment: 3,
  expect: { outcome: 1 },
};

function knownValues(): Request {
  const { agent, session, sponsor } = work;
  const detail = { type: 'payment', actions: ['pay'], locations: ['erp'], identifier: 'invoices/1' };
  const money = { currency_code: 'EUR', value: '1' };
  return {
    agent_id: agent.id,
    subject_id: agent.id,
    delegate_agent_id: suite.world.clock.newId('agt'),
    person_id: suite.admin.id,
    sponsor_id: sponsor.id,
    blueprint_id: work.blueprintId,
    mandate_id: work.mandateId,
    session_id: session.sessionId,
    secret_id: work.secretId,
    database_role_id: work.databaseRoleId,
    policy_set_id: work.policySetId,
    lease_id: suite.world.clock.newId('lse'),
    lock_id: suite.world.clock.newId('lck'),
    delegation_id: suite.world.clock.newId('dlg'),
    token: session.accessToken,
    assertion: assertionOf(agent, TOKEN_ISSUER, Date.now()),
    display_name: 'a-name',
    builder: 'finance engineering',
    owner: 'finance',
    purpose: 'pay suppliers',
    reason: 'a drill',
    task: 'pay invoices',
    environment: 1,
    sensitivity: 1,
    sensitivity_max: 1,
    roles: [1],
    provenance: Object.fromEntries(
      Object.entries(provenance).map(([field, value]) => [
        field.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
        value,
      ]),
    ),
    jwk: newKeys().jwk,
    authorization_details: [detail],
    limits: { amount_total: money, calls_total: '1' },
    action: { type: 'payment', name: 'pay', location: 'erp', identifier: 'invoices/1', amount: money },
    at_least: [{ source: 'registry', pos: '1' }],
    expire_time: { seconds: String(Math.floor(Date.now() / 1000) + 600) },
    member_of: ['erp_reader'],
    ttl_seconds: 60,
    ttl_seconds_max: 600,
    version: 1,
    value: Buffer.from('a value'),
    policies: starterPolicies(),
    schema: starterSchema(),
    tests: [policyTest],
    validate_only: true,
    request_id: randomUUID(),
  };
}

/** Where what a field means depends on the call. */
function special(known: Request): { readonly [method: string]: Request } {
  const clock = suite.world.clock;
  return {
    OpenSession: { delegation_id: '' },
    GetEntry: { index: '0' },
    GetApproval: { approval_id: clock.newId('apr') },
    Vote: { approval_id: clock.newId('apr'), approve: true, signature: 'a.b.c' },
    GetDecision: { decision_id: clock.newId('dec') },
    TraceDecision: { decision_id: clock.newId('dec') },
    PlaceLock: { target_kind: 2, target_id: clock.newId('agt') },
    DecideBatch: { requests: [{ token: known.token, action: known.action, request_id: randomUUID() }] },
    RetirePersonKey: { key_id: suite.admin.keyId },
  };
}

/** Fields whose content somebody other than the edge judges, and the statuses that say so. */
const judgedLater: Readonly<Record<string, readonly string[]>> = {
  token: ['UNAUTHENTICATED', 'NOT_FOUND'],
  assertion: ['UNAUTHENTICATED'],
  signature: ['PERMISSION_DENIED', 'NOT_FOUND'],
  etag: ['ABORTED'],
  key_id: ['NOT_FOUND', 'FAILED_PRECONDITION'],
};

/** Whether a refusal says in a closed code what is wrong, and in which field. */
function isClear({ field, error }: Outcome): boolean {
  if (error === undefined) return false;
  if (error.status === 'INVALID_ARGUMENT') return error.fields.some((named) => isAbout(named.field, field));
  return judgedLater[field.slice(field.lastIndexOf('.') + 1)]?.includes(error.status) ?? false;
}

describe.each(methods.map((method) => [method.path.slice(1), method] as const))('%s', (_path, method) => {
  it('refuses what is no request, and says that in a closed code', async () => {
    const found = await outcomes(method, wrongBytes(contract, method));
    const unclear = found.filter(({ error }) => error?.reason !== 'INVALID_ARGUMENT');
    expect(unclear.map(said)).toEqual([]);
  });

  it('refuses more than 1 MiB', async () => {
    const mistake = { title: 'more than 1 MiB', field: '', bytes: tooLarge(MAX_REQUEST_BYTES) };
    expect(mistake.bytes.length).toBeGreaterThan(MAX_REQUEST_BYTES);
    const [{ error } = {}] = await outcomes(method, [mistake]);
    expect(error?.status).toBe('RESOURCE_EXHAUSTED');
  });

  it('refuses every mistake in every field with a clear code, and names the field', async () => {
    const mistakes = mistakesIn(contract, method, rightRequest(method));
    const found = await outcomes(
      method,
      mistakes.filter((mistake) => !isMeant(method, mistake)),
    );
    const unclear = found.filter((outcome) => !isClear(outcome));
    expect(unclear.map(said)).toEqual([]);
  });
});

/** What is a mistake elsewhere: the ledger is asked about things of every kind. */
const isMeant = ({ name }: ContractMethod, { field, title }: Mistake) =>
  name === 'ListEntries' && field === 'subject_id' && title === 'an id of another kind';

/**
 * A field is named by its own path in the contract, or by that of what holds it. Items of a list may have a number, and
 * attributes go by their names.
 */
function isAbout(named: string, path: string): boolean {
  const plain = named.replaceAll(/\[\d+\]/g, '');
  const parent = path.slice(0, Math.max(path.lastIndexOf('.'), 0));
  const isAttribute = parent.endsWith('attributes') && plain.startsWith(`${parent}.`);
  return plain === path || path.startsWith(`${plain}.`) || isAttribute;
}

describe('the contract', () => {
  it('has no request that could be nested in itself without end', () =>
    expect(methods.flatMap(({ request }) => recursive(contract, request))).toEqual([]));
});

it('changes nothing by being refused', async () => {
  await suite.settled();
  expect(await suite.heads()).toEqual(before);
});
