import { describe, expect, it } from '@jest/globals';
import { DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import { Refusal } from '@writ/kernel';
import { MESSAGE_BYTES_MAX, messageOf, type Question } from './question.js';

const REQUEST_ID = '0d6c7a52-3a0f-4b43-9d0e-3f1c2b1a0000';
const point = { isAgent: false, newRequestId: () => REQUEST_ID };
const digest = 'A'.repeat(43);
const good: Question = {
  token: 'header.payload.signature',
  presentedCertificateSha256: digest,
  action: { type: 'payment', name: 'pay', amount: { currency: 'EUR', value: '12.50' } },
};

/** The fields that a refusal names; undefined when there is none. */
function refused(question: unknown, o = point): readonly string[] | undefined {
  try {
    messageOf(question as Question, o);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'QUESTION_INVALID') throw error;
    return error.fields.map(({ field }) => field);
  }
}

describe('a question', () => {
  it('travels in the words of the contract', () => {
    const { bytes, waits, requestId } = messageOf(
      {
        ...good,
        action: { ...good.action, attributes: { vendor: 'acme', lines: 3, urgent: true } },
        approvalId: 'apr_01K41M7JG00000000000000000',
        atLeast: [{ source: 'session-broker', pos: 7 }],
      },
      point,
    );
    expect({ waits, requestId }).toEqual({ waits: true, requestId: REQUEST_ID });
    expect(DecideRequest.decode(bytes)).toMatchObject({
      token: good.token,
      presentedCertificateSha256: digest,
      requestId: REQUEST_ID,
      approvalId: 'apr_01K41M7JG00000000000000000',
      atLeast: [{ source: 'session-broker', pos: 7n }],
      action: {
        type: 'payment',
        name: 'pay',
        amount: { currencyCode: 'EUR', value: '12.50' },
        attributes: [
          { name: 'vendor', value: { $case: 'stringValue', value: 'acme' } },
          { name: 'lines', value: { $case: 'intValue', value: 3n } },
          { name: 'urgent', value: { $case: 'boolValue', value: true } },
        ],
      },
    });
  });

  it('keeps the request id that the caller gives it', () => {
    const requestId = '11111111-1111-4111-8111-111111111111';
    expect(messageOf({ ...good, requestId }, point)).toMatchObject({ requestId, waits: false });
  });

  it('of an agent about itself presents no certificate', () => {
    const { presentedCertificateSha256: _, ...own } = good;
    expect(refused(own, { ...point, isAgent: true })).toBeUndefined();
    expect(refused(own)).toEqual(['presentedCertificateSha256']);
  });

  it.each<[string, unknown, readonly string[]]>([
    ['no question at all', undefined, ['token', 'presentedCertificateSha256', 'action']],
    ['no token', { ...good, token: '' }, ['token']],
    ['a misspelt member', { ...good, approvalID: 'apr_1' }, ['approvalID']],
    ['a wildcard', { ...good, action: { ...good.action, identifier: 'invoices/*' } }, ['action.identifier']],
    [
      'an amount in floating point',
      { ...good, action: { ...good.action, amount: { currency: 'EUR', value: 12.5 } } },
      ['action.amount.value'],
    ],
    ['an id of another kind', { ...good, approvalId: 'dec_01K41M7JG00000000000000000' }, ['approvalId']],
    ['a position of nothing', { ...good, atLeast: [{ source: 'registry', pos: 0 }] }, ['atLeast']],
    ['a request id that is none', { ...good, requestId: 'once' }, ['requestId']],
  ])('with %s is refused and names what is wrong', (_what, question, fields) =>
    expect(refused(question)).toEqual(fields),
  );

  it('is refused with all of its mistakes, and repeats none of its values', () => {
    const secret = 'hunter2';
    const bad = { token: 12, presentedCertificateSha256: secret, action: {}, approvalId: secret };
    try {
      messageOf(bad as unknown as Question, point);
      throw new Error('not refused');
    } catch (error) {
      const { fields, message } = error as Refusal;
      expect(fields.map(({ field }) => field)).toEqual([
        'token',
        'presentedCertificateSha256',
        'approvalId',
        'action.type',
        'action.name',
      ]);
      expect(message).not.toContain(secret);
    }
  });

  it('of more than 1 MiB is refused here and reaches no engine', () => {
    const room = MESSAGE_BYTES_MAX - messageOf(good, point).bytes.length;
    expect(refused({ ...good, token: 'x'.repeat(room + 100) })).toEqual(['']);
    expect(refused({ ...good, token: 'x'.repeat(room) })).toBeUndefined();
  });
});
