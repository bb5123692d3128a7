import { describe, expect, it } from '@jest/globals';
import { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type Decision, decisionOf } from './decision.js';

const REQUEST_ID = '0d6c7a52-3a0f-4b43-9d0e-3f1c2b1a0000';
const recorded = { source: 'policy-engine', pos: 7n };
const read = (response: Partial<DecideResponse>): Decision =>
  decisionOf(DecideResponse.fromPartial({ decisionId: 'dec_1', ...response }), REQUEST_ID);

describe('an answer', () => {
  it('that allows and is recorded is an allow', () =>
    expect(
      read({ outcome: Outcome.OUTCOME_ALLOW, reasonCode: 'PERMITTED', position: recorded }),
    ).toMatchObject({
      answered: true,
      outcome: 'allow',
      reasonCode: 'PERMITTED',
      recorded: true,
      position: recorded,
      requestId: REQUEST_ID,
    }));

  it('that denies need not be recorded yet', () =>
    expect(read({ outcome: Outcome.OUTCOME_DENY, reasonCode: 'LOCKED' })).toMatchObject({
      answered: true,
      outcome: 'deny',
      reasonCode: 'LOCKED',
      recorded: false,
    }));

  it('that needs approval says of how many people', () =>
    expect(
      read({
        outcome: Outcome.OUTCOME_APPROVAL_NEEDED,
        approvalDemand: { quorum: 2, ttlSeconds: 60 },
        position: recorded,
      }),
    ).toMatchObject({ outcome: 'approval-needed', approvalDemand: { quorum: 2, ttlSeconds: 60 } }));
});

describe('what keeps no promise of the contract is a deny', () => {
  const demand = { quorum: 1, ttlSeconds: 60 };
  it.each<[string, Partial<DecideResponse>]>([
    ['an allow without a position', { outcome: Outcome.OUTCOME_ALLOW }],
    ['an allow at position 0', { outcome: Outcome.OUTCOME_ALLOW, position: { ...recorded, pos: 0n } }],
    [
      'an allow that names no decision',
      { outcome: Outcome.OUTCOME_ALLOW, position: recorded, decisionId: '' },
    ],
    ['no outcome', { outcome: Outcome.OUTCOME_UNSPECIFIED, position: recorded }],
    ['an outcome of a later version', { outcome: 17 as Outcome, position: recorded }],
    ['an outcome that cannot be read', { outcome: Outcome.UNRECOGNIZED, position: recorded }],
    [
      'approval needed and not recorded',
      { outcome: Outcome.OUTCOME_APPROVAL_NEEDED, approvalDemand: demand },
    ],
    ['approval needed of nobody', { outcome: Outcome.OUTCOME_APPROVAL_NEEDED, position: recorded }],
    [
      'approval needed of no people',
      {
        outcome: Outcome.OUTCOME_APPROVAL_NEEDED,
        position: recorded,
        approvalDemand: { ...demand, quorum: 0 },
      },
    ],
  ])('%s', (_what, response) =>
    expect(read(response)).toMatchObject({
      answered: false,
      outcome: 'deny',
      reasonCode: 'ANSWER_INVALID',
      recorded: false,
      requestId: REQUEST_ID,
    }),
  );

  it('every outcome but the three that are known, as it comes off the wire', () => {
    for (let outcome = 0; outcome < 300; outcome += 1) {
      const bytes = DecideResponse.encode(
        DecideResponse.fromPartial({ decisionId: 'dec_1', outcome: outcome as Outcome, position: recorded }),
      ).finish();
      const decision = decisionOf(DecideResponse.decode(bytes), REQUEST_ID);
      expect(decision.outcome === 'allow').toBe(outcome === 1);
    }
  });
});
