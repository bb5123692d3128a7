import { describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { Refusal } from '@writ/kernel';
import {
  check,
  enumValue,
  id,
  integer,
  list,
  optional,
  requestId,
  required,
  text,
  timestamp,
} from './validate.js';

const agent = 'agt_01K41M7JG00000000000000AGT';

it('names every bad field of a request at once, in the spelling of the contract', () => {
  try {
    check({ agentId: id('agt', 'agent-7'), reason: required(''), owner: text('ops', { max: 10 }) });
    throw new Error('accepted');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', kind: 'invalid' });
    expect(error.fields).toEqual([
      { field: 'agent_id', description: 'must be an id of kind `agent`: `agt_` and a ULID' },
      { field: 'reason', description: 'is required' },
    ]);
    expect(error.message).not.toContain('agent-7');
  }
});

it('accepts a request without mistakes', () => {
  expect(() => check({ agentId: id('agt', agent), count: integer(3, { max: 3 }) })).not.toThrow();
});

describe('field rules', () => {
  it.each([
    ['an id of another kind', id('psn', agent)],
    ['an empty id', id('agt', '')],
    ['text that is too long', text('abc', { max: 2 })],
    ['blank text', text('   ', { max: 5 })],
    ['a line break in one line', text('a\nb', { max: 5 })],
    ['a bidirectional override', text('pay\u202Eegnahc', { max: 50 })],
    ['a zero-width character', text('pay\u200Bment', { max: 50 })],
    ['an unspecified enum', enumValue(Role, 0)],
    ['an enum of a newer contract', enumValue(Role, -1)],
    ['an enum number that is not there', enumValue(Role, 99)],
    ['zero', integer(0, { max: 5 })],
    ['a fraction', integer(1.5, { max: 5 })],
    ['a 64-bit number beyond its limit', integer(6n, { max: 5 })],
    ['no timestamp', timestamp(undefined)],
    ['a timestamp that is none', timestamp(new Date(Number.NaN))],
    ['a timestamp in the past', timestamp(new Date(0), { after: new Date(1) })],
    ['too many items', list(['a', 'b'], { max: 1 })],
    ['a bad item', list(['a', ''], { max: 5, rule: (item) => required(item) })],
    ['a request id that is no UUID', requestId('7')],
  ])('refuse %s', (_title, problem) => {
    expect(problem).toEqual(expect.any(String));
  });

  it.each([
    ['text of several lines where it may be', text('a\nb', { max: 5, multiline: true })],
    ['letters of any script', text('Ünïcødé 漢字', { max: 50 })],
    ['an enum value', enumValue(Role, Role.ROLE_ADMIN)],
    ['an absent optional field', optional('', 'must be something')],
  ])('accept %s', (_title, problem) => {
    expect(problem).toBeUndefined();
  });
});
