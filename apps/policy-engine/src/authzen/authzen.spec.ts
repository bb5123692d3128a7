import { describe, expect, it } from '@jest/globals';
import {
  endsWith,
  readAction,
  readBatch,
  readProof,
  reasonForUser,
  tupleOf,
  withDefaults,
} from './authzen.js';
import { MemberReader, type Members } from './members.js';

const tuple = (members: Members) => tupleOf(new MemberReader(), members);
const actionOf = (action: object, resource: object) =>
  readAction(new MemberReader(), tuple({ action, resource }));

describe('verb and thing', () => {
  it('are one action, with every property in its place', () =>
    expect(
      actionOf(
        { name: 'pay', properties: { amount: { currency: 'EUR', value: '12.50' }, supplier: 'S-1' } },
        {
          type: 'payment',
          id: 'invoices/7',
          properties: { location: 'pg://erp', datatypes: ['bank'], urgent: true },
        },
      ),
    ).toMatchObject({
      type: 'payment',
      name: 'pay',
      identifier: 'invoices/7',
      location: 'pg://erp',
      datatypes: ['bank'],
      amount: { currency: 'EUR' },
      attributes: { supplier: 'S-1', urgent: true },
    }));

  it('name no thing with an empty id', () =>
    expect(actionOf({ name: 'read' }, { type: 'database', id: '' })).toEqual({
      type: 'database',
      name: 'read',
      attributes: {},
    }));

  it('never inherit a member', () => {
    const reader = new MemberReader();
    expect(
      readAction(
        reader,
        tuple({ action: { name: 'read' }, resource: Object.create({ type: 'x', id: 'y' }) }),
      ),
    ).toBe(undefined);
    expect(reader.violations.map(({ field }) => field)).toEqual(['resource.type', 'resource.id']);
  });
});

describe('what proves a question', () => {
  const proofOf = (context: object) => readProof(new MemberReader(), tuple({ context }));

  it('may name its approval in either way', () => {
    expect(proofOf({ approval_id: 'a' }).approvalId).toBe('a');
    expect(proofOf({ approval: { id: 'a', approved_at: 'yesterday' } }).approvalId).toBe('a');
    expect(proofOf({ approval_id: 'a', approval: { id: 'a' } }).approvalId).toBe('a');
  });

  it('has positions as numbers or as digits', () =>
    expect(
      proofOf({
        at_least: [
          { source: 'registry', pos: 7 },
          { source: 'vault', pos: '8' },
        ],
      }).atLeast,
    ).toEqual([
      { source: 'registry', pos: 7n },
      { source: 'vault', pos: 8n },
    ]));
});

describe('a batch', () => {
  const defaults = {
    subject: { type: 'agent', id: 'a' },
    resource: { type: 'payment', id: 'x', properties: { location: 'l' } },
    context: { token: 't', presented_certificate_sha256: 'c', at_least: [] },
  };

  it.each<[object, object]>([
    [{}, defaults],
    [{ resource: null }, defaults],
    [{ resource: { id: 'y' } }, { ...defaults, resource: { type: 'payment', id: 'y' } }],
    [
      { context: { approval_id: 'p' } },
      { ...defaults, context: { token: 't', presented_certificate_sha256: 'c', approval_id: 'p' } },
    ],
    [{ resource: 'text' }, { ...defaults, resource: 'text' }],
    [{ action: { name: 'pay' } }, { ...defaults, action: { name: 'pay' } }],
  ])('fills %j from its defaults', (item, whole) =>
    expect(withDefaults(item as Members, defaults)).toEqual(whole),
  );

  it('takes no default for what stands in none', () => expect(withDefaults({}, {})).toEqual({}));

  it('is one evaluation without a list', () =>
    expect(readBatch(new MemberReader(), { evaluations: [] })).toEqual({
      items: undefined,
      semantic: 'execute_all',
    }));

  it('ends at its first deny, its first permit, or its end', () => {
    expect([endsWith('execute_all', true), endsWith('execute_all', false)]).toEqual([false, false]);
    expect([endsWith('deny_on_first_deny', true), endsWith('deny_on_first_deny', false)]).toEqual([
      false,
      true,
    ]);
    expect([endsWith('permit_on_first_permit', true), endsWith('permit_on_first_permit', false)]).toEqual([
      true,
      false,
    ]);
  });
});

it.each([
  ['APPROVAL_REQUIRED', 'A person must approve this first.'],
  ['APPROVAL_USED', 'The approval does not hold for this.'],
  ['LIMIT_AMOUNT_TOTAL', 'What the agent was given for this is used up.'],
  ['POLICY_FORBIDDEN', 'A policy does not permit this.'],
  ['DELEGATION_AMOUNT', 'This is outside what the agent was given authority for.'],
  ['REQUEST_ID_REUSED', 'The same request was sent before with other content.'],
  ['LOCKED', 'The agent may not act now.'],
])('whoever uses the agent is told of %s in words that name no policy', (code, words) =>
  expect(reasonForUser(code)).toBe(words),
);
