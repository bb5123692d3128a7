import { describe, expect, it } from '@jest/globals';
import { Refusal } from '@writ/kernel';
import { isEnvironmentFailure } from './environment-failure.js';

const coded = (code: string) => Object.assign(new Error('it failed'), { code });

describe('the world around is to blame', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    '08006',
    '40001',
    '40P01',
    '53100',
    '53300',
    '55P03',
    '57P01',
    '57014',
    '58030',
  ])('for `%s`, also as the cause of a cause', (code) => {
    expect(isEnvironmentFailure(coded(code))).toBe(true);
    const wrapped = new Error('append failed', { cause: new Error('query failed', { cause: coded(code) }) });
    expect(isEnvironmentFailure(wrapped)).toBe(true);
  });

  it.each(['23505', '22P02', '42P01', '25P02', 'P0001', 'ERR_ASSERTION'])('but not for `%s`', (code) => {
    expect(isEnvironmentFailure(coded(code))).toBe(false);
  });

  it('when a service it needs refuses as unavailable, and for no other refusal', () => {
    expect(isEnvironmentFailure(new Refusal('AWAY', 'unavailable', 'away'))).toBe(true);
    expect(isEnvironmentFailure(new Refusal('STREAM_CONFLICT', 'conflict', 'moved'))).toBe(false);
    expect(isEnvironmentFailure(new Refusal('NO', 'precondition', 'no', []))).toBe(false);
  });

  it('when a connection ended without a code', () => {
    expect(isEnvironmentFailure(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isEnvironmentFailure(new TypeError('undefined is not a function'))).toBe(false);
    expect(isEnvironmentFailure('connection terminated')).toBe(false);
  });
});
