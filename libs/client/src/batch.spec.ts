import { describe, expect, it } from '@jest/globals';
import { DecideBatchRequest, DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import * as fc from 'fast-check';
import { batchLength, batchMessage } from './batch.js';
import { MESSAGE_BYTES_MAX } from './question.js';

const encoded = (token: string) => ({
  bytes: DecideRequest.encode(DecideRequest.fromPartial({ token })).finish(),
});
const ofSize = (size: number) => ({ bytes: new Uint8Array(size) });

describe('a batch', () => {
  it('is, byte for byte, what the contract’s own codec writes', () =>
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 20 }), (tokens) => {
        const requests = tokens.map((token) => DecideRequest.fromPartial({ token }));
        const expected = DecideBatchRequest.encode({ requests }).finish();
        expect(Buffer.from(batchMessage(tokens.map(encoded)))).toEqual(Buffer.from(expected));
      }),
    ));

  it('takes as many as it may', () => {
    const queue = Array.from({ length: 250 }, () => ofSize(10));
    expect(batchLength(queue, 100)).toBe(100);
    expect(batchLength(queue.slice(0, 7), 100)).toBe(7);
    expect(batchLength(queue, 1)).toBe(1);
    expect(batchLength([], 100)).toBe(0);
  });

  it('never weighs more than 1 MiB, and leaves no room that the next would fit in', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: MESSAGE_BYTES_MAX }), { minLength: 2, maxLength: 12 }),
        (sizes) => {
          const queue = sizes.map(ofSize);
          const count = batchLength(queue, 100);
          const weight = (length: number) => batchMessage(queue.slice(0, length)).length;
          expect(count).toBeGreaterThan(0);
          if (count > 1) expect(weight(count)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
          if (count < queue.length) expect(weight(count + 1)).toBeGreaterThan(MESSAGE_BYTES_MAX);
        },
      ),
    ));

  it('is left to a question by itself that fills the message', () =>
    expect(batchLength([ofSize(MESSAGE_BYTES_MAX), ofSize(1)], 100)).toBe(1));
});
