import { describe, expect, it } from '@jest/globals';
import {
  Action as ActionCodec,
  AuthorizationDetail as DetailCodec,
  Limits as LimitsCodec,
} from '@writ/contracts/writ/type/v1/authority.js';
import fc from 'fast-check';
import { action, detail, limits } from '../test/arbitrary.js';
import { actionJson } from './action.js';
import {
  type ActionMessage,
  actionFromMessage,
  actionToMessage,
  detailsFromMessages,
  detailToMessage,
  limitsFromMessage,
  limitsToMessage,
} from './message.js';

const bare: ActionMessage = {
  type: 'database',
  name: 'read',
  location: '',
  identifier: '',
  datatypes: [],
  amount: undefined,
  attributes: [],
};

describe('the authority object as a protobuf message', () => {
  it('keeps a detail through its bytes', () =>
    fc.assert(
      fc.property(detail, (each) => {
        const bytes = DetailCodec.encode(detailToMessage(each)).finish();
        expect(detailsFromMessages([DetailCodec.decode(bytes)])).toEqual([each]);
      }),
    ));

  it('keeps limits through their bytes', () =>
    fc.assert(
      fc.property(limits, (each) => {
        const bytes = LimitsCodec.encode(limitsToMessage(each)).finish();
        expect(limitsFromMessage(LimitsCodec.decode(bytes))).toEqual(each);
      }),
    ));

  it('keeps an action through its bytes', () =>
    fc.assert(
      fc.property(action, (each) => {
        const bytes = ActionCodec.encode(actionToMessage(each)).finish();
        expect(actionJson(actionFromMessage(ActionCodec.decode(bytes)))).toEqual(actionJson(each));
      }),
    ));

  it('takes what is empty for left out', () => {
    expect(actionFromMessage(bare)).toEqual({ type: 'database', name: 'read', attributes: {} });
    expect(limitsFromMessage(undefined)).toEqual({});
    expect(limitsFromMessage({ amountTotal: undefined, amountEach: undefined, callsTotal: 0n })).toEqual({});
  });

  it.each<[string, ActionMessage | undefined, string]>([
    ['no action', undefined, 'action'],
    ['money without a value', { ...bare, amount: { currencyCode: 'EUR', value: '' } }, 'action.amount.value'],
    [
      'an attribute without a value',
      { ...bare, attributes: [{ name: 'a', value: undefined }] },
      'action.attributes[0]',
    ],
    [
      'an attribute without a value after one whose name goes on',
      {
        ...bare,
        attributes: [
          { name: 'amount2', value: { $case: 'boolValue', value: true } },
          { name: 'amount', value: undefined },
        ],
      },
      'action.attributes[1]',
    ],
    [
      'an attribute without a name after one that has one',
      {
        ...bare,
        attributes: ['a', ''].map((name) => ({ name, value: { $case: 'boolValue', value: true } })),
      },
      'action.attributes[1]',
    ],
    [
      'an attribute whose name is too long after one whose name is just short enough',
      {
        ...bare,
        attributes: [64, 70].map((length) => ({
          name: 'a'.repeat(length),
          value: { $case: 'boolValue', value: true },
        })),
      },
      'action.attributes[1]',
    ],
    [
      'an integer beyond 2^53',
      { ...bare, attributes: [{ name: 'a', value: { $case: 'intValue', value: 2n ** 53n + 1n } }] },
      'action.attributes[0]',
    ],
    [
      'an attribute named twice',
      {
        ...bare,
        attributes: [true, false].map((value) => ({ name: 'a', value: { $case: 'boolValue', value } })),
      },
      'action.attributes',
    ],
  ])('is refused with %s', (_, message, field) =>
    expect(() => actionFromMessage(message)).toThrow(
      expect.objectContaining({ code: 'ACTION_INVALID', fields: [expect.objectContaining({ field })] }),
    ),
  );

  it('is refused with a negative number of calls', () =>
    expect(() =>
      limitsFromMessage({ amountTotal: undefined, amountEach: undefined, callsTotal: -1n }),
    ).toThrow(expect.objectContaining({ code: 'LIMITS_INVALID' })));
});
