import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { payment, type Worker } from './asking.js';
import { AuthzenClient, evaluation, proofOf } from './authzen-client.js';
import { House } from './house.js';

const EVALUATION = '/access/v1/evaluation';

let house: House;
let worker: Worker;
let other: Worker;
let point: AuthzenClient;
let agent: AuthzenClient;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
  other = await house.worker();
  point = AuthzenClient.of(house.engine, house.gateway);
  agent = AuthzenClient.of(house.engine, worker.identity);
}, 120_000);

afterAll(async () => {
  point?.close();
  agent?.close();
  await house?.stop();
});

type Asked = ReturnType<typeof evaluation>;
const good = () => evaluation(worker, '5');
const withProperty = (name: string, value: unknown): object => {
  const asked = good();
  return { ...asked, action: { ...asked.action, properties: { ...asked.action.properties, [name]: value } } };
};
/** The text of a good request with the text of an attribute's value put into it. */
const withRaw = (json: string) => JSON.stringify(withProperty('n', '@')).replace('"@"', json);

describe('a request', () => {
  it('like these but without their fault is allowed', async () => {
    const { status, json } = await point.post(EVALUATION, withRaw('9007199254740991'));
    expect([status, json.decision]).toEqual([200, true]);
  });

  it.each<[string, (asked: Asked) => object, string[]]>([
    [
      'no members',
      () => ({}),
      ['subject', 'context.token', 'context.presented_certificate_sha256', 'action', 'resource'],
    ],
    ['no subject', ({ subject: _, ...rest }) => rest, ['subject']],
    ['no action', ({ action: _, ...rest }) => rest, ['action']],
    ['no resource', ({ resource: _, ...rest }) => rest, ['resource']],
    ['a subject that is text', (asked) => ({ ...asked, subject: 'agt' }), ['subject']],
    [
      'a subject without a type',
      (asked) => ({ ...asked, subject: { id: worker.agentId } }),
      ['subject.type'],
    ],
    ['a subject without an id', (asked) => ({ ...asked, subject: { type: 'agent' } }), ['subject.id']],
    [
      'a subject of another type',
      (asked) => ({ ...asked, subject: { type: 'user', id: 'alice' } }),
      ['subject.type'],
    ],
    ['a verb that is a number', (asked) => ({ ...asked, action: { name: 123 } }), ['action.name']],
    [
      'a verb that is none',
      (asked) => ({ ...asked, action: { ...asked.action, name: 'pay all' } }),
      ['action.name'],
    ],
    ['a resource without an id', (asked) => ({ ...asked, resource: { type: 'payment' } }), ['resource.id']],
    [
      'a resource with a wildcard',
      (asked) => ({ ...asked, resource: { type: 'payment', id: 'a/*' } }),
      ['resource.id'],
    ],
    [
      'a type that is no word',
      (asked) => ({ ...asked, resource: { type: 'Pay!', id: 'a' } }),
      ['resource.type'],
    ],
    [
      'properties that are a list',
      (asked) => ({ ...asked, action: { name: 'pay', properties: [] } }),
      ['action.properties'],
    ],
    [
      'an amount in floating point',
      () => withProperty('amount', { currency: 'EUR', value: 12.5 }),
      ['action.properties.amount.value'],
    ],
    [
      'an amount with a member too many',
      () => withProperty('amount', { currency: 'EUR', value: '1', unit: 'k' }),
      ['action.properties.amount.unit'],
    ],
    ['an attribute that is a fraction', () => withProperty('rate', 1.5), ['action.properties.rate']],
    ['an attribute that is nested', () => withProperty('deep', { a: 1 }), ['action.properties.deep']],
    ['an attribute named as none may be', () => withProperty('a b', 1), ['action.properties.a b']],
    [
      'a location among the properties of the action',
      () => withProperty('location', 'pg://erp'),
      ['action.properties.location'],
    ],
    [
      'an amount among those of the resource',
      (asked) => ({ ...asked, resource: { ...asked.resource, properties: { amount: '5' } } }),
      ['resource.properties.amount'],
    ],
    [
      'one property of both',
      (asked) => ({
        ...(withProperty('n', 1) as Asked),
        resource: { ...asked.resource, properties: { n: 1 } },
      }),
      ['resource.properties.n'],
    ],
    ['a context that is text', (asked) => ({ ...asked, context: 'x' }), ['context']],
    ['no token', (asked) => ({ ...asked, context: { ...asked.context, token: '' } }), ['context.token']],
    [
      'a token that is a number',
      (asked) => ({ ...asked, context: { ...asked.context, token: 1 } }),
      ['context.token'],
    ],
    [
      'no certificate named',
      () => evaluation(worker, '5', { presented_certificate_sha256: null }),
      ['context.presented_certificate_sha256'],
    ],
    [
      'an approval id of another kind',
      () => evaluation(worker, '5', { approval_id: worker.agentId }),
      ['context.approval_id'],
    ],
    [
      'two approvals',
      () => evaluation(worker, '5', { approval_id: 'a', approval: { id: 'b' } }),
      ['context.approval.id', 'context.approval_id'],
    ],
    [
      'positions that are none',
      () => evaluation(worker, '5', { at_least: [{ source: 'vault', pos: 1.5 }, 7] }),
      ['context.at_least[0].pos', 'context.at_least[1]'],
    ],
    [
      'a position beyond 2^53',
      () => evaluation(worker, '5', { at_least: [{ source: 'registry', pos: '9007199254740993' }] }),
      ['context.at_least'],
    ],
    [
      'a position that is an object with a mind of its own',
      () => evaluation(worker, '5', { at_least: [{ source: 'registry', pos: { toString: 1, valueOf: 2 } }] }),
      ['context.at_least[0].pos'],
    ],
    [
      'a source that nobody is',
      () => evaluation(worker, '5', { at_least: [{ source: 'nobody', pos: '1' }] }),
      ['context.at_least'],
    ],
    [
      'a request id that is no UUID',
      () => evaluation(worker, '5', { request_id: '1' }),
      ['context.request_id'],
    ],
  ])('with %s is refused and told where', async (_, change, fields) => {
    const { status, json, headers } = await point.post(EVALUATION, change(good()));
    expect(headers['content-type']).toBe('application/problem+json');
    const named = json.errors.map(({ field }: { field: string }) => field);
    expect([status, json.status, named.toSorted()]).toEqual([400, 400, fields.toSorted()]);
  });

  it.each<[string, () => string | Buffer, RegExp]>([
    ['nothing in it', () => '', /empty/],
    ['NaN', () => withRaw('NaN'), /not JSON/],
    ['Infinity by overflow', () => withRaw('1e999'), /whole number/],
    ['an integer beyond 2^53', () => withRaw('9007199254740993'), /whole number/],
    ['a number that JSON does not know', () => withRaw('0x10'), /not JSON/],
    ['half of it missing', () => JSON.stringify(good()).slice(0, -1), /not JSON/],
    ['a list', () => '[]', /JSON object/],
    [
      'a list of ten thousand',
      () => JSON.stringify(evaluation(worker, '5', { at_least: Array(10_000).fill(1) })),
      /more than 1024/,
    ],
    ['a depth of 100 000', () => `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /nested deeper/],
    [
      'a member twice',
      () => JSON.stringify(good()).replace('{', '{"subject":{"type":"agent","id":"agt_x"},'),
      /twice/,
    ],
    ['__proto__ as an attribute', () => withRaw('1').replace('"n"', '"__proto__"'), /__proto__/],
    ['half a surrogate pair', () => withRaw('"\\ud800"'), /must not hold/],
    [
      'bytes that are no UTF-8',
      () => Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      /UTF-8/,
    ],
  ])('with %s is refused', async (_, text, message) => {
    const { status, json } = await point.post(EVALUATION, text());
    expect([status, json.title]).toEqual([400, 'Bad Request']);
    expect(json.detail).toMatch(message);
  });

  it('with __proto__ where nothing is read is as good as without', async () => {
    const text = JSON.stringify(good()).replace('{', '{"__proto__":{"evaluations":[{}],"context":{}},');
    const { status, json } = await point.post(EVALUATION, text);
    expect([status, json.decision]).toEqual([200, true]);
  });

  it('is not given back in what is said against it', async () => {
    const { text } = await point.post(EVALUATION, { ...good(), resource: 7 });
    expect(text).not.toContain(worker.token);
  });

  it('with a thousand faults earns a short answer', async () => {
    const properties = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`a b${index}`, 1]));
    const { status, text } = await point.post(EVALUATION, { ...good(), action: { name: 'pay', properties } });
    expect(status).toBe(400);
    expect(text.length).toBeLessThan(8_000);
  });
});

describe('a question', () => {
  const refused = async (client: AuthzenClient, body: object) => {
    const { status, json } = await client.post(EVALUATION, body);
    return [status, json.reason];
  };

  it('about one agent with the token of another is refused, whoever asks', async () => {
    const asked = { ...good(), subject: { type: 'agent', id: other.agentId } };
    expect(await refused(point, asked)).toEqual([400, 'SUBJECT_MISMATCH']);
    const { token } = asked.context as { token: string };
    expect(await refused(agent, { ...asked, context: { token } })).toEqual([400, 'SUBJECT_MISMATCH']);
  });

  it('of an agent with the token of another is refused', async () => {
    const { context, ...asked } = evaluation(other, '5');
    const { token } = context as { token: string };
    expect(await refused(agent, { ...asked, context: { token } })).toEqual([401, 'TOKEN_BINDING_MISMATCH']);
    expect(await refused(agent, { ...asked, context })).toEqual([401, 'TOKEN_BINDING_MISMATCH']);
  });

  it('with a certificate that the token is not bound to is refused', async () => {
    const { presented_certificate_sha256 } = proofOf(other);
    expect(await refused(point, evaluation(worker, '5', { presented_certificate_sha256 }))).toEqual([
      401,
      'TOKEN_BINDING_MISMATCH',
    ]);
  });

  it('with a token that has run out, or was made by somebody else, is refused', async () => {
    const iat = Math.floor(house.world.clock.now().getTime() / 1000) - 1_000;
    const old = house.token(worker, { claims: { iat, exp: iat + 300 } });
    expect(await refused(point, evaluation(worker, '5', { token: old }))).toEqual([401, 'TOKEN_EXPIRED']);
    const forged = `${worker.token.slice(0, -4)}AAAA`;
    expect((await refused(point, evaluation(worker, '5', { token: forged })))[0]).toBe(401);
  });

  it('is none for people', async () => {
    const admin = AuthzenClient.of(house.engine, house.admin);
    expect(await refused(admin, good())).toEqual([403, 'CALLER_NOT_ALLOWED']);
    admin.close();
  });

  it('that gRPC would answer otherwise there is none: the digest is the same', async () => {
    const { json } = await point.post(EVALUATION, evaluation(worker, '5'));
    const { actionDigest } = await house.pay(worker, '5', { action: payment('5') });
    expect(json.context.action_digest).toBe(actionDigest);
  });
});
