import { describe, expect, it } from '@jest/globals';
import { isStop, type ReasonCode } from './reasons.js';

describe('a repeated request', () => {
  const stops: readonly ReasonCode[] = [
    'POLICY_NONE',
    'POLICY_ERROR',
    'POLICY_FORBIDDEN',
    'POLICY_NO_PERMIT',
    'POLICY_ACTION_UNKNOWN',
    'TRUST_PRODUCTION',
    'TRUST_AMOUNT',
    'TRUST_SENSITIVITY',
    'AGENT_SENSITIVITY',
    'LOCKED',
    'SESSION_ENDED',
  ];
  it.each(stops)('is denied with %s, whatever was answered before', (code) =>
    expect(isStop(code)).toBe(true),
  );

  const spent: readonly ReasonCode[] = [
    'APPROVAL_UNKNOWN',
    'APPROVAL_EXPIRED',
    'APPROVAL_USED',
    'LIMIT_AMOUNT_TOTAL',
    'LIMIT_CALLS_TOTAL',
  ];
  it.each(spent)('has its first answer although a new one would be denied with %s', (code) =>
    expect(isStop(code)).toBe(false),
  );
});
