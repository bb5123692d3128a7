import { describe, expect, it } from '@jest/globals';
import { contract, type Field, fieldNamed } from './contract.js';
import type { Json } from './json.js';
import { ValueReader } from './value-reader.js';

const now = new Date('2026-09-01T08:00:00.000Z');
const mandate = contract.message('writ.session.v1.GrantMandateRequest');
const decide = contract.message('writ.policy.v1.DecideRequest');

function field(message: typeof mandate, name: string): Field {
  const found = fieldNamed(message, name);
  if (found === undefined) throw new Error(`no field \`${name}\``);
  return found;
}

function fromFlag(message: typeof mandate, name: string, text: string, past = false) {
  const reader = new ValueReader(now, past);
  return { value: reader.text(field(message, name), text), problems: reader.problems };
}

function fromFile(message: typeof mandate, content: Json) {
  const reader = new ValueReader(now);
  return { value: reader.message(message, content), problems: reader.problems };
}

describe('a flag with a whole message', () => {
  it('spells out an authorization detail', () =>
    expect(
      fromFlag(
        mandate,
        'authorization_details',
        'type=payment,actions=read|pay,identifier=erp/invoices/*,amount_max=5000EUR,constraints.fields.supplier=ACME|Initech',
      ),
    ).toEqual({
      value: {
        type: 'payment',
        actions: ['read', 'pay'],
        identifier: 'erp/invoices/*',
        constraints: {
          amountMax: { currencyCode: 'EUR', value: '5000' },
          fields: [{ name: 'supplier', oneOf: ['ACME', 'Initech'] }],
        },
      },
      problems: [],
    }));

  it('spells out an action, with numbers, truth values and texts as attributes', () =>
    expect(
      fromFlag(
        decide,
        'action',
        'type=payment,name=pay,amount=1200.50 EUR,attributes.order=17,attributes.urgent=true,attributes.code="17",attributes.to=A\\, B',
      ).value,
    ).toEqual({
      type: 'payment',
      name: 'pay',
      amount: { currencyCode: 'EUR', value: '1200.50' },
      attributes: [
        { name: 'order', intValue: '17' },
        { name: 'urgent', boolValue: true },
        { name: 'code', stringValue: '17' },
        { name: 'to', stringValue: 'A, B' },
      ],
    }));

  it('counts 64-bit numbers as text, so that none loses a digit', () =>
    expect(fromFlag(mandate, 'limits', 'calls_total=100,amount_total=20000EUR').value).toEqual({
      callsTotal: '100',
      amountTotal: { currencyCode: 'EUR', value: '20000' },
    }));

  it.each([
    ['limits', 'amount_totl=5EUR', 'limits.amount_totl'],
    ['limits', 'amount_total=5EUR,amount_total=9EUR', 'limits.amount_total'],
    ['limits', 'amount_total=5', 'limits.amount_total'],
    ['limits', 'calls_total=many', 'limits.calls_total'],
    ['limits', 'calls_total', 'limits'],
    ['authorization_details', 'constraints.fields=a', 'authorization_details.constraints.fields'],
    ['authorization_details', 'type.x=a', 'authorization_details.type'],
    ['expire_time', 'tomorrow', 'expire_time'],
    ['max_depth', '1.5', 'max_depth'],
  ])('names the bad field of `--%s %s`', (name, text, bad) =>
    expect(fromFlag(mandate, name, text).problems[0]?.field).toBe(bad),
  );
});

describe('a time', () => {
  it('may be a duration from now', () =>
    expect(fromFlag(mandate, 'expire_time', '4h').value).toBe('2026-09-01T12:00:00.000Z'));
  it('may be a duration ago where the past is meant', () =>
    expect(fromFlag(mandate, 'expire_time', '2h', true).value).toBe('2026-09-01T06:00:00.000Z'));
  it('may be RFC 3339', () =>
    expect(fromFlag(mandate, 'expire_time', '2026-09-02T08:00:00+02:00').value).toBe(
      '2026-09-02T06:00:00.000Z',
    ));
});

describe('a file with a whole request', () => {
  it('may use the names of the contract or of its JSON, words for enums, and short forms', () =>
    expect(
      fromFile(mandate, {
        agent_id: 'agt_1',
        maxDepth: 2,
        authorization_details: [
          {
            type: 'payment',
            actions: ['pay'],
            constraints: { amount_max: '5000EUR', fields: { supplier: ['ACME'] } },
          },
        ],
        limits: { amountTotal: { currencyCode: 'EUR', value: '20000' }, callsTotal: 3 },
      }),
    ).toEqual({
      value: {
        agentId: 'agt_1',
        maxDepth: 2,
        authorizationDetails: [
          {
            type: 'payment',
            actions: ['pay'],
            constraints: {
              amountMax: { currencyCode: 'EUR', value: '5000' },
              fields: [{ name: 'supplier', oneOf: ['ACME'] }],
            },
          },
        ],
        limits: { amountTotal: { currencyCode: 'EUR', value: '20000' }, callsTotal: '3' },
      },
      problems: [],
    }));

  it('lets no misspelt limit through, and names every bad field', () =>
    expect(
      fromFile(mandate, {
        agentId: 5,
        limits: { amountTotl: '5EUR', callsTotal: 1.5 },
        authorization_details: [{ type: 'payment', constraint: {} }, 'pay'],
      }).problems.map(({ field: bad }) => bad),
    ).toEqual([
      'agent_id',
      'limits.amountTotl',
      'limits.calls_total',
      'authorization_details[0].constraint',
      'authorization_details[1]',
    ]));

  it('refuses a number that JSON cannot hold exactly', () =>
    expect(fromFile(mandate, { limits: { callsTotal: 2 ** 53 } }).problems).toHaveLength(1));

  it('refuses the same field in two spellings', () =>
    expect(fromFile(mandate, { agent_id: 'agt_1', agentId: 'agt_2' }).problems).toHaveLength(1));

  it('refuses anything but an object', () => expect(fromFile(mandate, 'agt_1').problems).toHaveLength(1));
});
