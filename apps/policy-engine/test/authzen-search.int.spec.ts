import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import type { Worker } from './asking.js';
import { AuthzenClient, evaluation, proofOf } from './authzen-client.js';
import { House } from './house.js';

const search = (what: string) => `/access/v1/search/${what}`;

let house: House;
let worker: Worker;
let other: Worker;
let point: AuthzenClient;
let agent: AuthzenClient;

const details = [
  {
    type: 'invoice',
    actions: ['read', 'write', 'shred'],
    identifier: 'invoices/7',
    locations: ['pg://a', 'pg://b'],
  },
  { type: 'invoice', actions: ['read'], identifier: 'invoices/8' },
  { type: 'invoice', actions: ['read'], identifier: 'archive/*' },
];

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker({ details });
  other = await house.worker();
  point = AuthzenClient.of(house.engine, house.gateway);
  agent = AuthzenClient.of(house.engine, worker.identity);
}, 120_000);

afterAll(async () => {
  point?.close();
  agent?.close();
  await house?.stop();
});

const subject = () => ({ type: 'agent', id: worker.agentId });
const asked = (parts: object) => ({ subject: subject(), context: proofOf(worker), ...parts });
const resultsOf = async (what: string, body: object, client = point) => {
  const { status, json } = await client.post(search(what), body);
  return status === 200
    ? json.results
    : [status, json.reason, json.errors?.map((one: { field: string }) => one.field)];
};

describe('a search for actions', () => {
  const about = (id: string, properties = {}) => asked({ resource: { type: 'invoice', id, properties } });

  it('finds the verbs that would be allowed now, and none that is only granted', async () => {
    // `shred` is granted, and no policy knows it.
    expect(await resultsOf('action', about('invoices/7', { location: 'pg://a' }))).toEqual([
      { name: 'read' },
      { name: 'write' },
    ]);
    expect(await resultsOf('action', about('invoices/8'))).toEqual([{ name: 'read' }]);
    expect(await resultsOf('action', about('archive/1999/4'))).toEqual([{ name: 'read' }]);
  });

  it.each<[string, object]>([
    ['a thing outside the grant', { resource: { type: 'invoice', id: 'invoices/9' } }],
    ['a type that nobody knows', { resource: { type: 'spaceship', id: 'x' } }],
    ['a type that is no word here', { resource: { type: 'Space-Ship', id: 'x' } }],
    ['a thing that no place can be', { resource: { type: 'invoice', id: 'a/../b' } }],
    ['what needs an amount', { resource: { type: 'payment', id: 'invoices/A' } }],
    [
      'a type of subject that nobody knows',
      { subject: { type: 'user', id: 'alice' }, resource: { type: 'invoice', id: 'a' } },
    ],
    [
      'a subject that nobody knows',
      { subject: { type: 'agent', id: 'nonexistent' }, resource: { type: 'invoice', id: 'a' } },
    ],
  ])('finds nothing for %s', async (_, parts) => expect(await resultsOf('action', asked(parts))).toEqual([]));

  it('of an agent is about itself; of others it finds nothing', async () => {
    const { token } = worker;
    expect(await resultsOf('action', { ...about('invoices/8'), context: { token } }, agent)).toHaveLength(1);
    const stranger = {
      ...about('invoices/8'),
      subject: { type: 'agent', id: other.agentId },
      context: { token },
    };
    expect(await resultsOf('action', stranger, agent)).toEqual([]);
  });

  it('with the token of another agent than the subject is refused', async () =>
    expect(await resultsOf('action', { ...about('invoices/8'), context: proofOf(other) })).toEqual([
      400,
      'SUBJECT_MISMATCH',
      undefined,
    ]));

  it('without what it must have is refused', async () => {
    expect(await resultsOf('action', asked({}))).toEqual([400, 'INVALID_ARGUMENT', ['resource']]);
    expect(await resultsOf('action', { ...about('invoices/8'), context: {} })).toEqual([
      400,
      'INVALID_ARGUMENT',
      ['context.token', 'context.presented_certificate_sha256'],
    ]);
  });
});

describe('a search for resources', () => {
  const reading = (properties = {}, page = {}) =>
    asked({ action: { name: 'read' }, resource: { type: 'invoice', id: 'ignored', properties }, page });
  const all = [
    { type: 'invoice', id: 'invoices/7', properties: { location: 'pg://a' } },
    { type: 'invoice', id: 'invoices/7', properties: { location: 'pg://b' } },
    { type: 'invoice', id: 'invoices/8' },
  ];

  it('finds what the grants name one by one, with the place that the grant says', async () => {
    const found = await resultsOf('resource', reading());
    expect(found).toEqual(all);
    for (const resource of found) {
      const body = { ...evaluation(worker, '1'), action: { name: 'read' }, resource };
      expect((await point.post('/access/v1/evaluation', body)).json.decision).toBe(true);
    }
  });

  it('is narrowed by a place', async () =>
    expect(await resultsOf('resource', reading({ location: 'pg://b' }))).toEqual([
      all[1],
      { ...all[2], properties: { location: 'pg://b' } },
    ]));

  it('comes in pages whose tokens are for this search and this caller only', async () => {
    const first = await point.post(search('resource'), reading({}, { limit: 2 }));
    expect(first.json).toEqual({
      results: all.slice(0, 2),
      page: { next_token: expect.any(String), count: 2 },
    });
    const token = first.json.page.next_token;
    const second = await point.post(search('resource'), reading({}, { limit: 2, token }));
    expect(second.json).toEqual({ results: all.slice(2), page: { next_token: '', count: 1 } });
    const wrong = [400, 'INVALID_ARGUMENT', ['page.token']];
    expect(await resultsOf('resource', reading({ location: 'pg://b' }, { token }))).toEqual(wrong);
    expect(await resultsOf('resource', reading({}, { token: `${token}x` }))).toEqual(wrong);
    const own = { ...reading({}, { token }), context: { token: worker.token } };
    expect(await resultsOf('resource', own, agent)).toEqual(wrong);
  });

  it.each([-1, 1.5, '2', 2 ** 60])('with a limit of %j is refused', async (limit) =>
    expect(await resultsOf('resource', reading({}, { limit }))).toEqual([
      400,
      'INVALID_ARGUMENT',
      ['page.limit'],
    ]),
  );

  it('without a subject or a verb is refused', async () => {
    const { subject: _, ...rest } = reading();
    expect(await resultsOf('resource', rest)).toEqual([400, 'INVALID_ARGUMENT', ['subject']]);
    expect(await resultsOf('resource', { ...reading(), action: {} })).toEqual([
      400,
      'INVALID_ARGUMENT',
      ['action.name'],
    ]);
  });
});

describe('a search for subjects', () => {
  const paying = (value: string) => ({ ...evaluation(worker, value), subject: { type: 'agent' } });

  it('finds the agents that have an open session in which this would be allowed', async () => {
    const both = [worker.agentId, other.agentId].sort().map((id) => ({ type: 'agent', id }));
    expect(await resultsOf('subject', paying('900'))).toEqual(both);
    expect(await resultsOf('subject', { ...paying('900'), context: undefined })).toEqual(both);
    const writing = {
      ...paying('1'),
      action: { name: 'write' },
      resource: { type: 'invoice', id: 'invoices/7', properties: { location: 'pg://a' } },
    };
    expect(await resultsOf('subject', writing)).toEqual([subject()]);
  });

  it('finds nobody for what needs a person, is forbidden, or is of an unknown kind', async () => {
    expect(await resultsOf('subject', paying('3000'))).toEqual([]);
    expect(await resultsOf('subject', paying('6000'))).toEqual([]);
    expect(await resultsOf('subject', { ...paying('900'), subject: { type: 'user' } })).toEqual([]);
  });

  it('comes in pages', async () => {
    const first = await point.post(search('subject'), { ...paying('900'), page: { limit: 1 } });
    const token = first.json.page.next_token;
    const second = await point.post(search('subject'), { ...paying('900'), page: { limit: 1, token } });
    const found = [...first.json.results, ...second.json.results].map(({ id }) => id);
    expect(found).toEqual([worker.agentId, other.agentId].sort());
    expect(second.json.page.next_token).toBe('');
  });

  it('is not for agents', async () => {
    const { status, json } = await agent.post(search('subject'), paying('900'));
    expect([status, json.reason]).toEqual([403, 'CALLER_NOT_ALLOWED']);
  });

  it('without a verb, or a thing with an id, is refused', async () => {
    const { action: _, ...rest } = paying('900');
    expect(await resultsOf('subject', rest)).toEqual([400, 'INVALID_ARGUMENT', ['action']]);
    expect(await resultsOf('subject', { ...paying('900'), resource: { type: 'payment' } })).toEqual([
      400,
      'INVALID_ARGUMENT',
      ['resource.id'],
    ]);
  });
});

it('a search records nothing and takes nothing of a limit', async () => {
  const once = await house.worker({ calls: 1n, details });
  const body = {
    subject: { type: 'agent', id: once.agentId },
    context: proofOf(once),
    action: { name: 'read' },
    resource: { type: 'invoice' },
  };
  const ask = () => resultsOf('resource', body);
  expect(await ask()).toHaveLength(3);
  expect(await ask()).toHaveLength(3);
  const of = { sessionId: once.sessionId, agentId: '', outcome: 1, pageSize: 0, pageToken: '' };
  expect((await house.decisions(once.identity).listDecisions(of)).decisions).toEqual([]);
  expect((await house.pay(once, '1')).reasonCode).toBe('PERMITTED');
  // The limit is used up now, and a search does not look at it.
  expect((await house.pay(once, '1')).reasonCode).toBe('LIMIT_CALLS_TOTAL');
  expect(await ask()).toHaveLength(3);
});

it('a stop order empties every search at once', async () => {
  const stopped = await house.worker({ details });
  const body = {
    subject: { type: 'agent', id: stopped.agentId },
    context: proofOf(stopped),
    resource: { type: 'invoice', id: 'invoices/8' },
  };
  expect(await resultsOf('action', body)).toEqual([{ name: 'read' }]);
  const at = house.world.clock.now();
  house.watch.place({ targetKind: WatchTargetKind.WATCH_TARGET_KIND_AGENT, targetId: stopped.agentId }, at);
  await house.until(async () => (await resultsOf('action', body)).length === 0);
  const reading = { ...body, subject: { type: 'agent' }, action: { name: 'read' } };
  expect(await resultsOf('subject', reading)).not.toContainEqual({ type: 'agent', id: stopped.agentId });
});
