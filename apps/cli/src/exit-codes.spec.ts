import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { approvalCode } from './approve.js';
import { exitCodeMeanings, exitCodeOfStatus, exitCodes } from './exit-codes.js';
import { helpVerb } from './help.js';
import { outcomeCode } from './nouns/decision.noun.js';
import type { Work } from './verb.js';
import { verificationCode } from './verify-ledger.js';

const endings: readonly (readonly [string, number])[] = [
  ['INVALID_ARGUMENT', 3],
  ['OUT_OF_RANGE', 3],
  ['UNAUTHENTICATED', 5],
  ['PERMISSION_DENIED', 5],
  ['NOT_FOUND', 6],
  ['ALREADY_EXISTS', 7],
  ['ABORTED', 7],
  ['FAILED_PRECONDITION', 7],
  ['UNAVAILABLE', 8],
  ['DEADLINE_EXCEEDED', 8],
  ['RESOURCE_EXHAUSTED', 8],
  ['CANCELLED', 8],
  ['DATA_LOSS', 9],
  ['INTERNAL', 1],
  ['UNKNOWN', 1],
  ['UNIMPLEMENTED', 1],
];

describe('exit codes', () => {
  it.each(endings)('end the process of a call that failed with %s as %i', (name, code) =>
    expect(exitCodeOfStatus(name)).toBe(code),
  );

  it('know every status of gRPC', () => {
    const names = Object.keys(status).filter((name) => Number.isNaN(Number(name)) && name !== 'OK');
    expect(names).toHaveLength(16);
    expect(endings.map(([name]) => name).sort()).toEqual(names.sort());
  });

  it('stand below each other in the help, their meanings too', async () => {
    const out: unknown[] = [];
    const io = { out: { tty: false, write: (text: unknown) => void out.push(text) } };
    await helpVerb(() => []).run({ io, args: ['exit-codes'] } as unknown as Work);
    const lines = out.join('').trimEnd().split('\n');
    expect(lines).toHaveLength(exitCodeMeanings.length);
    for (const line of lines) expect(line).toMatch(/^[ \d]{2}\d {2}\S/);
  });

  it('are each explained once', () =>
    expect(exitCodeMeanings.map(([code]) => code)).toEqual(Object.values(exitCodes)));

  it.each([
    ['OUTCOME_ALLOW', 0],
    ['OUTCOME_DENY', 2],
    ['OUTCOME_APPROVAL_NEEDED', 4],
    ['OUTCOME_SOMETHING_NEW', 2],
  ])('say %s of a decision as %i', (outcome, code) => expect(outcomeCode({ outcome })).toBe(code));

  it('take a decision without an outcome for a no', () => expect(outcomeCode({})).toBe(2));

  it.each([
    ['GRANTED', 0],
    ['PENDING', 4],
    ['DENIED', 2],
    ['EXPIRED', 2],
    ['WITHDRAWN', 2],
    ['USED', 7],
  ])('say that an approval is %s as %i', (state, code) =>
    expect(approvalCode({ state: `APPROVAL_STATE_${state}` })).toBe(code),
  );

  it('are 9 when the ledger has a fault', () => {
    expect(verificationCode({ done: true, faults: [{ index: '17', kind: 'chain' }] })).toBe(9);
    expect(verificationCode({ done: true })).toBe(0);
  });
});
