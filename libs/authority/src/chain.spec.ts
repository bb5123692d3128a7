import { describe, expect, it } from '@jest/globals';
import { parseAction } from './action.js';
import { type Chain, type ChainReason, chainPrincipals, evaluateChain, type Hop } from './chain.js';
import { parseDetails } from './detail.js';
import type { Grant } from './grant.js';
import { parseMoney } from './money.js';

const eur = (value: string) => parseMoney({ currency: 'EUR', value });
const at = new Date('2026-09-30T10:00:00Z');
const later = new Date('2026-09-30T12:00:00Z');
const payUpTo = (value: string) =>
  parseDetails([
    { type: 'payment', actions: ['pay'], constraints: { amountMax: { currency: 'EUR', value } } },
  ]);

const root: Grant = {
  purpose: 'September supplier run',
  details: payUpTo('5000'),
  limits: { amountTotal: eur('20000') },
  expiresAt: later,
  maxDepth: 2,
};
const mandate: Hop = {
  kind: 'mandate',
  id: 'mdt_1',
  grantorId: 'psn_ana',
  holderId: 'agt_invoice',
  grant: root,
  revoked: false,
};
const first: Hop = {
  kind: 'delegation',
  id: 'dlg_1',
  parentId: 'mdt_1',
  grantorId: 'agt_invoice',
  holderId: 'agt_fx',
  grant: { ...root, maxDepth: 1, details: payUpTo('1000') },
  revoked: false,
};
const second: Hop = {
  ...first,
  id: 'dlg_2',
  parentId: 'dlg_1',
  grantorId: 'agt_fx',
  holderId: 'agt_rates',
  grant: {
    ...first.grant,
    maxDepth: 0,
    details: payUpTo('100'),
    limits: { amountTotal: eur('300'), amountEach: eur('90') },
  },
};
const session = { id: 'ses_1', agentId: 'agt_rates', purpose: root.purpose, expiresAt: later, ended: false };
const chain: Chain = { mandate, delegations: [first, second], session };
const pay = (value: string) =>
  parseAction({ type: 'payment', name: 'pay', amount: { currency: 'EUR', value } });
const evaluate = (change: Partial<Chain>, value = '50') =>
  evaluateChain({ ...chain, ...change, action: pay(value), at });
const withGrant = (hop: Hop, change: Partial<Grant>): Hop => ({ ...hop, grant: { ...hop.grant, ...change } });

describe('a chain of authority', () => {
  it('reaches an action that every hop covers, and says what each limit must give', () =>
    expect(evaluate({})).toEqual({
      allowed: true,
      detail: second.grant.details[0],
      limitDemands: [
        { key: 'mandate:mdt_1', limits: root.limits, amount: eur('50'), calls: 1 },
        { key: 'delegation:dlg_1', limits: root.limits, amount: eur('50'), calls: 1 },
        { key: 'delegation:dlg_2', limits: second.grant.limits, amount: eur('50'), calls: 1 },
      ],
    }));

  it('asks nothing of a hop without limits', () =>
    expect(
      evaluate({
        mandate: withGrant(mandate, { limits: {} }),
        delegations: [],
        session: { ...session, agentId: 'agt_invoice' },
      }),
    ).toMatchObject({ allowed: true, limitDemands: [] }));

  it.each<[string, string, ChainReason, string]>([
    ['9000', 'the mandate', 'MANDATE_AMOUNT', 'mandate:mdt_1'],
    ['1000.01', 'the first delegation', 'DELEGATION_AMOUNT', 'delegation:dlg_1'],
    ['100.01', 'the second delegation', 'DELEGATION_AMOUNT', 'delegation:dlg_2'],
    ['90.01', 'the limit of each', 'DELEGATION_AMOUNT_EACH', 'delegation:dlg_2'],
  ])('does not reach %s EUR: too much for %s', (value, _, reason, hop) =>
    expect(evaluate({}, value)).toMatchObject({ allowed: false, reason, hop }),
  );

  it('says for people what went wrong', () =>
    expect(evaluate({}, '9000')).toHaveProperty(
      'message',
      'outside mandate `mdt_1`: amount `9000 EUR` is not allowed, at most `5000 EUR` is allowed',
    ));

  it.each<[string, Partial<Chain>, ChainReason, string]>([
    [
      'the mandate is revoked',
      { mandate: { ...mandate, revoked: true } },
      'MANDATE_REVOKED',
      'mandate:mdt_1',
    ],
    [
      'the mandate expires now',
      { mandate: withGrant(mandate, { expiresAt: at }) },
      'MANDATE_EXPIRED',
      'mandate:mdt_1',
    ],
    [
      'an expiry is no date',
      { mandate: withGrant(mandate, { expiresAt: new Date('x') }) },
      'MANDATE_EXPIRED',
      'mandate:mdt_1',
    ],
    [
      'the mandate allows another thing',
      { mandate: withGrant(mandate, { details: [] }) },
      'DELEGATION_WIDER',
      'delegation:dlg_1',
    ],
    [
      'a mandate stands for a delegation',
      { delegations: [{ ...first, kind: 'mandate' }, second] },
      'MANDATE_LINK',
      'mandate:dlg_1',
    ],
    ['a delegation stands for the mandate', { mandate: first }, 'DELEGATION_LINK', 'delegation:dlg_1'],
    [
      'a middle hop is revoked',
      { delegations: [{ ...first, revoked: true }, second] },
      'DELEGATION_REVOKED',
      'delegation:dlg_1',
    ],
    [
      'the last hop expires now',
      { delegations: [first, withGrant(second, { expiresAt: at })] },
      'DELEGATION_EXPIRED',
      'delegation:dlg_2',
    ],
    ['a hop is left out', { delegations: [second] }, 'DELEGATION_LINK', 'delegation:dlg_2'],
    [
      'a hop was given by another agent',
      { delegations: [{ ...first, grantorId: 'agt_x' }, second] },
      'DELEGATION_LINK',
      'delegation:dlg_1',
    ],
    [
      'a hop hangs elsewhere',
      { delegations: [first, { ...second, parentId: 'dlg_9' }] },
      'DELEGATION_LINK',
      'delegation:dlg_2',
    ],
    [
      'there are more hops than allowed',
      { mandate: withGrant(mandate, { maxDepth: 1 }) },
      'DELEGATION_DEPTH',
      'delegation:dlg_1',
    ],
    [
      'a hop serves another purpose',
      { delegations: [first, withGrant(second, { purpose: 'x' })] },
      'DELEGATION_PURPOSE',
      'delegation:dlg_2',
    ],
    [
      'a hop is wider',
      { delegations: [first, withGrant(second, { details: root.details })] },
      'DELEGATION_WIDER',
      'delegation:dlg_2',
    ],
    [
      'a hop drops the limits',
      { delegations: [first, withGrant(second, { limits: {} })] },
      'DELEGATION_WIDER',
      'delegation:dlg_2',
    ],
    ['the session has ended', { session: { ...session, ended: true } }, 'SESSION_ENDED', 'session:ses_1'],
    [
      'the session expires now',
      { session: { ...session, expiresAt: at } },
      'SESSION_EXPIRED',
      'session:ses_1',
    ],
    [
      'the session is another agent’s',
      { session: { ...session, agentId: 'agt_fx' } },
      'SESSION_LINK',
      'session:ses_1',
    ],
    [
      'the session serves another purpose',
      { session: { ...session, purpose: 'x' } },
      'SESSION_PURPOSE',
      'session:ses_1',
    ],
  ])('breaks when %s', (_, change, reason, hop) =>
    expect(evaluate(change)).toMatchObject({ allowed: false, reason, hop }),
  );

  it('names the root cause when a revoked mandate also ended the session', () =>
    expect(
      evaluate({ mandate: { ...mandate, revoked: true }, session: { ...session, ended: true } }),
    ).toMatchObject({
      reason: 'MANDATE_REVOKED',
    }));

  it('names everyone whom a lock may stop', () =>
    expect(chainPrincipals(chain).map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      'session ses_1',
      'agent agt_rates',
      'person psn_ana',
      'mandate mdt_1',
      'agent agt_invoice',
      'delegation dlg_1',
      'agent agt_fx',
      'delegation dlg_2',
      'agent agt_rates',
    ]));
});
