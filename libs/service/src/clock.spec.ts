import { expect, it } from '@jest/globals';
import { idTimeMs, isId } from '@writ/kernel';
import { Clock, SystemClock, sha256Base64Url } from './clock.js';

class StillClock extends Clock {
  override now(): Date {
    return new Date('2026-09-01T09:00:00.000Z');
  }
  override monotonicMs(): number {
    return 0;
  }
  override randomBytes(count: number): Uint8Array {
    return new Uint8Array(count).fill(0xff);
  }
}

it('makes event ids that are UUIDs of version 7 and sort by time', () => {
  expect(new StillClock().newEventId()).toBe('01a05c32-5e80-7fff-bfff-ffffffffffff');
});

it('makes ids of the kind asked for, at the time of the clock', () => {
  const id = new StillClock().newId('agt');
  expect(isId('agt', id)).toBe(true);
  expect(idTimeMs(id)).toBe(Date.parse('2026-09-01T09:00:00.000Z'));
});

it('never makes the same id twice', () => {
  const clock = new SystemClock();
  const ids = new Set(Array.from({ length: 1000 }, () => clock.newEventId()));
  expect(ids.size).toBe(1000);
});

it('hashes as RFC 6234 says', () => {
  expect(sha256Base64Url('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});
