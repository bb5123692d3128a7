import { describe, expect, it } from '@jest/globals';
import { parseJson } from '../src/json.js';
import { compare } from './compared.js';

const principal = { type: 'U', id: 'a' };
const action = { type: 'Action', id: 'a' };
const permitWhen = (condition: string) => ({
  p0: `permit (principal, action, resource) when { ${condition} };`,
});

interface Odd {
  readonly condition?: string;
  readonly context?: string;
  readonly entities?: string;
  readonly uids?: object;
}

/** How many of the requests the reference refuses, after making sure that we answer as it does. */
function refused({ condition = 'context.x == context.x', context = '{}', entities = '[]', uids = {} }: Odd) {
  const { differing, refused: count } = compare({
    policies: permitWhen(condition),
    links: [],
    entities: parseJson(entities) as unknown[],
    requests: [{ principal, action, resource: principal, context: parseJson(context), ...uids }],
  });
  expect(differing).toEqual([]);
  return count;
}

const entity = (members: string) => `{"uid": {"type": "U", "id": "a"}, "attrs": {}, "parents": []${members}}`;

describe('odd values in a context mean what they mean to the reference', () => {
  it.each([
    ['5', 'context.x == 5'],
    ['9223372036854775807', 'context.x == 9223372036854775807'],
    ['-9223372036854775808', 'context.x == -9223372036854775808'],
    ['9007199254740993', 'context.x == 9007199254740992'],
    ['{"__entity": {"type": "U", "id": "a"}}', 'context.x == principal'],
    ['{"__entity": {"type": "U", "id": "a"}, "y": 1}', 'context.x == principal'],
    ['{"__entity": {"type": "U", "id": "a"}, "y": 1}', 'context.x.y == 1'],
    ['{"__entity": {"type": "U", "id": "a", "z": 1}}', 'context.x == principal'],
    ['{"__entity": {"type": "U"}}', 'context.x has __entity'],
    ['{"__entity": "U"}', 'context.x has __entity'],
    ['{"__entity": {"type": "U", "id": 5}}', 'context.x has __entity'],
    ['{"__extn": {"fn": "ip", "arg": "1.2.3.4"}}', 'context.x == ip("1.2.3.4")'],
    ['{"__extn": {"fn": "ip", "arg": "1.2.3.4"}, "y": 1}', 'context.x.y == 1'],
    ['{"__extn": {"fn": "ip", "arg": "1.2.3.4", "y": 1}}', 'context.x == ip("1.2.3.4")'],
    ['{"__extn": {"fn": "ip", "args": ["1.2.3.4"]}}', 'context.x == ip("1.2.3.4")'],
    ['{"__extn": {"fn": "ip", "arg": "1.2.3.4", "args": ["::1"]}}', 'context.x == ip("1.2.3.4")'],
    ['{"__extn": {"fn": "ip"}}', 'context.x has __extn'],
    ['{"__extn": {"fn": "ip", "args": 5}}', 'context.x has __extn'],
    ['{"__expr": 1}', 'context.x has __expr'],
    ['{"__expr": "1", "y": 2}', 'context.x.y == 2'],
    ['{"__proto__": 1}', 'context.x["__proto__"] == 1'],
    ['{"toString": 1}', 'context.x.toString == 1'],
    ['{}', 'context.x has toString'],
    ['[1, 1, 1]', 'context.x == [1]'],
    ['[[], {}, "", false]', 'context.x.contains({})'],
  ])('%s', (x, condition) => expect(refused({ context: `{"x": ${x}}`, condition })).toBe(0));

  it.each([
    ...[
      '1.5',
      '1.0',
      '1e2',
      '-0',
      '9223372036854775808',
      '-9223372036854775809',
      'null',
      '[null]',
      '{"y": null}',
    ],
    ...[
      '{"__expr": "1"}',
      '{"__entity": {"type": "U U", "id": "a"}}',
      '{"__entity": {"type": "__cedar::U", "id": ""}}',
    ],
    ...[
      '{"__extn": {"fn": "ip", "arg": "x"}}',
      '{"__extn": {"fn": "foo", "arg": "x"}}',
      '{"__extn": {"fn": "ip", "arg": null}}',
    ],
    ...[
      '{"__extn": {"fn": "ip", "args": ["1", "2"]}}',
      '{"__extn": {"fn": "ip", "args": []}}',
      '{"__extn": {"fn": "ip", "arg": 5}}',
    ],
  ])('%s is refused', (x) => expect(refused({ context: `{"x": ${x}}` })).toBe(1));

  it.each(['[1]', 'null', '"a"', '5', '{"__entity": {"type": "U", "id": "a"}}', '{"__expr": "1"}'])(
    'a context that is %s is refused',
    (context) => expect(refused({ context })).toBe(1),
  );
});

describe('odd entities mean what they mean to the reference', () => {
  it.each([
    ['twice the same', `[${entity('')}, ${entity('')}]`, 'true'],
    ['a member too many', `[${entity(', "more": 1')}]`, 'true'],
    [
      'a parent that is not there',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {}, "parents": [{"type": "U", "id": "z"}]}]',
      'principal in U::"z"',
    ],
    [
      'an attribute like an escape',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {"__entity": {"type": "U", "id": "a"}}, "parents": []}]',
      'principal has __entity',
    ],
    [
      'a uid in an escape',
      '[{"uid": {"__entity": {"type": "U", "id": "a"}}, "attrs": {}, "parents": []}]',
      'principal has x',
    ],
    [
      'the same values in another order',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {"x": [1, 2]}, "parents": []}, {"uid": {"type": "U", "id": "a"}, "attrs": {"x": [2, 1]}, "parents": []}]',
      'true',
    ],
    ['tags', `[${entity(', "tags": {"x": 1}')}]`, 'principal.getTag("x") == 1'],
  ])('%s', (_what, entities, condition) => expect(refused({ entities, condition })).toBe(0));

  it.each([
    ['twice and different', `[${entity('')}, ${entity(', "tags": {"x": 1}')}]`],
    [
      'its own parent',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {}, "parents": [{"type": "U", "id": "a"}]}]',
    ],
    [
      'a circle',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {}, "parents": [{"type": "U", "id": "b"}]}, {"uid": {"type": "U", "id": "b"}, "attrs": {}, "parents": [{"type": "U", "id": "a"}]}]',
    ],
    ['no attributes', '[{"uid": {"type": "U", "id": "a"}, "parents": []}]'],
    ['no parents', '[{"uid": {"type": "U", "id": "a"}, "attrs": {}}]'],
    ['null tags', `[${entity(', "tags": null')}]`],
    ['a uid as text', '[{"uid": "U::a", "attrs": {}, "parents": []}]'],
    ['null', '[null]'],
    [
      'an action below no action',
      '[{"uid": {"type": "Action", "id": "a"}, "attrs": {}, "parents": [{"type": "U", "id": "x"}]}]',
    ],
    [
      'an attribute without a value',
      '[{"uid": {"type": "U", "id": "a"}, "attrs": {"x": {"__extn": {"fn": "ip", "arg": "z"}}}, "parents": []}]',
    ],
  ])('%s is refused', (_what, entities) => expect(refused({ entities, condition: 'true' })).toBe(1));
});

describe('names of entity types are those of the reference', () => {
  it.each([
    ...[
      'U',
      'U::V',
      'U ::V',
      ' U',
      'U::',
      '::U',
      '',
      'if',
      '__cedar',
      '__cedar::U',
      'U::__cedar',
      'in',
      'like',
      'has',
      'is',
    ],
    ...[
      'true',
      'permit',
      'Ü',
      '1U',
      'U-',
      'principal',
      'when',
      'then',
      'else',
      '_',
      'Action',
      'U::if',
      'a::in::b',
      'U\n',
    ],
  ])('%j', (type) => {
    expect(refused({ condition: 'true', uids: { principal: { type, id: 'x' } } })).toBeLessThanOrEqual(1);
  });
});
