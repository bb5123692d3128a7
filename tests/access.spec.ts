import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type EdgeClass, type Identity, serviceNames, type Who } from '@writ/service';
import { definitions } from '@writ/writd/suite/definitions.js';
import { type SuiteService, suiteServices } from '@writ/writd/suite/suite.js';
import { type Caller, callersOf, type Stranger, strangersOf } from './callers.js';
import { Contract, type ContractMethod } from './contract.js';
import { type Answer, RawClient } from './raw-client.js';
import { RawHttp } from './raw-http.js';
import { WholeSuite } from './whole-suite.js';

const GOLDEN = 'tests/access.golden.txt';
const contract = new Contract();

/** A call of the contract or a route over HTTP, where it is served and who may make it. */
interface Row {
  readonly path: string;
  readonly name: string;
  /** What it stands under in the table. */
  readonly group: string;
  readonly service: SuiteService;
  readonly who: readonly Who[];
  ask(how: Identity | { rootPem: string }): Promise<Answer>;
}

let suite: WholeSuite;
let before: Record<string, number>;
let callers: readonly Caller[];
let strangers: readonly Stranger[];
/** `path` and caller → what came back. */
const answers = new Map<string, Answer>();

const calls: Row[] = contract.methods.flatMap((method) =>
  suiteServices.flatMap((service) =>
    definitions[service].edges.flatMap((edge) =>
      Object.entries(edge.service).flatMap(([name, { path }]) =>
        path === method.path ? [callRow(method, service, whoOf(edge, name))] : [],
      ),
    ),
  ),
);

function callRow(method: ContractMethod, service: SuiteService, who: readonly Who[]): Row {
  const { path, name, service: group } = method;
  const ask = (how: Identity | { rootPem: string }) =>
    asked(new RawClient(suite.service(service), how), (client) => client.call(method, harmless(method)));
  return { path, name, group, service, who, ask };
}

/** An empty object gets past the access table and no further. */
const routes: Row[] = suiteServices.flatMap((service) =>
  (definitions[service].httpEdges ?? []).flatMap((edge) =>
    Object.entries(edge.routes).map(([name, route]): Row => {
      const { path, who } = route;
      const ask = (how: Identity | { rootPem: string }) =>
        asked(new RawHttp(suite.service(service), how), (client) => client.call(route, '{}'));
      return { path, name, group: `${service} over HTTP`, service, who, ask };
    }),
  ),
);
const rows = [...calls, ...routes];

async function asked<Client extends { close(): void }>(
  client: Client,
  ask: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}

function whoOf(edge: EdgeClass, name: string): readonly Who[] {
  const who = edge.access[name];
  if (who === undefined) throw new Error(`\`${edge.name}\` has no row for \`${name}\``);
  return who;
}

/**
 * A request that gets past the access table and no further: its request id is none, which is looked at right after. Calls
 * without a request id only read.
 */
function harmless({ request, requestStream, encode }: ContractMethod): Buffer {
  const named = contract.fields(request).some(({ name }) => name === 'request_id');
  if (requestStream) return encode({ hello: { point_id: 'a-test', epoch: '', last_seq: '0' } });
  return encode(named ? { request_id: 'not a UUID' } : {});
}

async function callAllAs(name: string, how: Identity | { rootPem: string }): Promise<void> {
  await Promise.all(
    rows.map(async ({ path, ask }) => {
      answers.set(`${path} ${name}`, await ask(how));
    }),
  );
}

function answerOf(path: string, name: string): Answer {
  const answer = answers.get(`${path} ${name}`);
  if (answer === undefined) throw new Error(`\`${path}\` was not called as ${name}`);
  return answer;
}

const reasonOf = (answer: Answer) => ('error' in answer ? answer.error.reason : 'ANSWERED');
const isLetIn = (answer: Answer) => reasonOf(answer) !== 'CALLER_NOT_ALLOWED';

beforeAll(async () => {
  suite = await WholeSuite.start();
  callers = await callersOf(suite);
  strangers = await strangersOf(suite);
  await suite.settled();
  before = await suite.heads();
  for (const { name, how } of [...callers, ...strangers]) await callAllAs(name, how);
}, 180_000);

afterAll(async () => {
  await suite?.stop();
});

describe('the calls of the contract', () => {
  it('are served, each by one service', () =>
    expect(calls.map(({ path }) => path)).toEqual(contract.methods.map(({ path }) => path)));

  it('are all answered by something that is there', () => {
    const missing = [...answers].filter(
      ([, answer]) => 'error' in answer && answer.error.status === 'UNIMPLEMENTED',
    );
    expect(missing).toEqual([]);
    expect(answers.size).toBe(rows.length * (callers.length + strangers.length));
  });
});

describe('a caller', () => {
  it('is let in exactly where the access row names it', () => {
    const mistakes = rows.flatMap(({ path, who }) =>
      callers
        .filter(({ name, fits }) => isLetIn(answerOf(path, name)) !== who.some((one) => fits.includes(one)))
        .map(({ name }) => `${path} as ${name}: ${reasonOf(answerOf(path, name))}`),
    );
    expect(mistakes).toEqual([]);
  });

  it('is told in one closed code that it may not, and never why in other words', () => {
    const refused = [...answers.values()].filter((answer) => !isLetIn(answer));
    const statuses = new Set(refused.map((answer) => ('error' in answer ? answer.error.status : '')));
    expect([...statuses]).toEqual(['PERMISSION_DENIED']);
  });

  it('that is let in is answered or told what is wrong with its request', () => {
    const states = new Set(
      callers.flatMap(({ name }) =>
        rows
          .map(({ path }) => answerOf(path, name))
          .map((answer) => ('error' in answer ? answer.error.status : 'OK')),
      ),
    );
    for (const wrong of ['INTERNAL', 'UNKNOWN', 'UNAVAILABLE', 'DEADLINE_EXCEEDED'])
      expect(states).not.toContain(wrong);
  });

  it.each(['no certificate', 'a foreign authority', 'an expired certificate'])(
    'with %s does not get as far as a service',
    (name) => {
      const ends = rows.map(({ path }) => answerOf(path, name));
      expect(new Set(ends.map((end) => ('error' in end ? end.error.status : 'ANSWERED')))).toEqual(
        new Set(['UNAVAILABLE']),
      );
    },
  );

  it('whose certificate names another trust domain is nobody', () => {
    const ends = rows.map(({ path }) => answerOf(path, 'another trust domain'));
    expect(new Set(ends.map(reasonOf))).toEqual(new Set(['PEER_UNIDENTIFIED']));
  });
});

it('changes nothing by being refused', async () => {
  await suite.settled();
  expect(await suite.heads()).toEqual(before);
});

it('is the table that a reviewer has read', () => {
  const text = goldenText();
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(GOLDEN, text);
  expect(existsSync(GOLDEN) ? readFileSync(GOLDEN, 'utf8') : 'no golden file yet').toBe(text);
});

/** Who got past the access table of each call, as observed: people by role, then machines. */
function goldenText(): string {
  const shown = callers.filter(({ name }) => rows.some(({ path }) => isLetIn(answerOf(path, name))));
  const width = Math.max(...rows.map(({ name }) => name.length)) + 4;
  const head = [
    'Who may call what, as tried on the running services by tests/access.spec.ts.',
    '`x` may call; `.` is refused with CALLER_NOT_ALLOWED. Written anew by UPDATE_GOLDEN=1; read every change.',
    `Tried as well, and refused everywhere: ${callers
      .filter((caller) => !shown.includes(caller))
      .map(({ name }) => name)
      .join(', ')},`,
    `${strangers.map(({ name }) => name).join(', ')}.`,
    '',
    ...shown.map(({ name }, column) => `${' '.repeat(width)}${'|  '.repeat(column)}${name}`),
  ];
  const lines = rows.map(({ path, name: title, group }, index) => {
    const cells = shown.map(({ name }) => (isLetIn(answerOf(path, name)) ? 'x' : '.')).join('  ');
    const isFirst = rows[index - 1]?.group !== group;
    return `${isFirst ? `\n${group}\n` : ''}${`  ${title}`.padEnd(width)}${cells}`;
  });
  return `${[...head, ...lines].join('\n')}\n`;
}

it('tries every role and every service that there is', () => {
  const fits = callers.flatMap((caller) => caller.fits);
  const roles = Object.keys(Role).filter((name) => /^ROLE_(?!UNSPECIFIED)/.test(name));
  for (const role of roles) expect(fits).toContain(`role:${role.slice('ROLE_'.length).toLowerCase()}`);
  for (const service of serviceNames) expect(fits).toContain(`service:${service}`);
});
