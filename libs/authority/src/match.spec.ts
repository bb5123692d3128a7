import { describe, expect, it } from '@jest/globals';
import { type Action, parseAction } from './action.js';
import { type AuthorizationDetail, parseDetail } from './detail.js';
import { covers, firstCover, type MismatchReason } from './match.js';

const detail = parseDetail({
  type: 'payment',
  actions: ['pay'],
  locations: ['https://erp.example/*', 'erp'],
  identifier: 'invoices/*',
  datatypes: ['bank', 'name'],
  constraints: {
    amountMax: { currency: 'EUR', value: '5000' },
    fields: [{ name: 'lines', oneOf: ['1', '2'] }],
  },
});
const within = {
  type: 'payment',
  name: 'pay',
  location: 'https://erp.example/api',
  identifier: 'invoices/7',
  datatypes: ['bank'],
  amount: { currency: 'EUR', value: '5000' },
  attributes: { lines: 2 },
};
const act = (change: object): Action => parseAction({ ...within, ...change });

describe('a detail', () => {
  it('covers an action that lies within it in every member', () =>
    expect(covers(detail, act({}))).toBe(true));

  it.each<[string, object, MismatchReason]>([
    ['of another type', { type: 'database' }, 'TYPE'],
    ['with another verb', { name: 'refund' }, 'ACTION'],
    ['with a verb that only begins alike', { name: 'pay2' }, 'ACTION'],
    ['elsewhere', { location: 'https://erp.example.evil/api' }, 'LOCATION'],
    ['that does not say where', { location: undefined }, 'LOCATION'],
    ['on another thing', { identifier: 'payroll/7' }, 'IDENTIFIER'],
    ['on the whole collection', { identifier: 'invoices' }, 'IDENTIFIER'],
    ['that does not say on what', { identifier: undefined }, 'IDENTIFIER'],
    ['on one more data type', { datatypes: ['bank', 'health'] }, 'DATATYPE'],
    ['that does not say on which data', { datatypes: undefined }, 'DATATYPE'],
    ['with another attribute value', { attributes: { lines: 3 } }, 'CONSTRAINT'],
    ['without the attribute', { attributes: {} }, 'CONSTRAINT'],
    ['one unit above the maximum', { amount: { currency: 'EUR', value: '5000.0001' } }, 'AMOUNT'],
    ['in another currency', { amount: { currency: 'USD', value: '1' } }, 'AMOUNT'],
    ['without an amount', { amount: undefined }, 'AMOUNT'],
  ])('does not cover an action %s', (_, change, reason) => expect(covers(detail, act(change))).toBe(reason));

  it('without a maximum still wants to know what a payment pays', () => {
    const open: AuthorizationDetail = { type: 'payment', actions: ['pay'] };
    expect(covers(open, act({}))).toBe(true);
    expect(covers(open, act({ amount: undefined }))).toBe('AMOUNT');
  });

  it('does not take what every object has for an attribute', () => {
    const constraints = { fields: [{ name: 'constructor', oneOf: [String(Object)] }] };
    expect(covers({ type: 'payment', actions: ['pay'], constraints }, act({}))).toBe('CONSTRAINT');
  });
});

describe('the explanation of a refusal', () => {
  const read = parseDetail({ type: 'database', actions: ['read'], identifier: 'invoices' });
  const small = {
    ...detail,
    constraints: { ...detail.constraints, amountMax: { currency: 'EUR', units: 1n } },
  };

  it('is absent when a detail covers the action', () =>
    expect(firstCover([read, detail], act({}))).toEqual({ detail }));

  it('names the amount that was asked and the highest that is allowed', () => {
    const refused = {
      mismatch: {
        reason: 'AMOUNT',
        message: 'amount `9000 EUR` is not allowed, at most `5000 EUR` is allowed',
      },
    };
    const tooMuch = act({ amount: { currency: 'EUR', value: '9000' } });
    expect(firstCover([read, small, detail], tooMuch)).toEqual(refused);
    expect(firstCover([detail, small, read], tooMuch)).toEqual(refused);
  });

  it.each<[object, MismatchReason, string]>([
    [{ type: 'mcp_tool' }, 'TYPE', '`mcp_tool`: not allowed, only `database`, `payment`'],
    [{ name: 'refund' }, 'ACTION', '`refund` on `payment`: not allowed, only `pay`'],
    [
      { location: undefined },
      'LOCATION',
      'location unsaid: not allowed, only `https://erp.example/*`, `erp`',
    ],
    [{ identifier: 'x' }, 'IDENTIFIER', 'identifier `x`: not allowed, only `invoices/*`'],
    [{ datatypes: ['health'] }, 'DATATYPE', 'data types `health`: not allowed, only `bank`, `name`'],
    [{ attributes: { lines: 3 } }, 'CONSTRAINT', 'attribute `lines` `3`: not allowed, only `1`, `2`'],
    [{ amount: undefined }, 'AMOUNT', 'the action must say its amount, at most `5000 EUR` is allowed'],
  ])('of %j is %s', (change, reason, message) =>
    expect(firstCover([read, detail], act(change))).toEqual({ mismatch: { reason, message } }),
  );

  it('says that nothing is allowed when there is no detail', () =>
    expect(firstCover([], act({}))).toEqual({
      mismatch: { reason: 'TYPE', message: 'nothing at all is allowed' },
    }));
});
