import { describe, it } from '@jest/globals';
import { type LockPlaced, LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type LockCommand, type LockEvent, lockDecider } from './lock.js';

const at = new Date('2026-09-01T08:00:00Z');
const lock: LockPlaced = {
  lockId: 'lck_1',
  targetKind: LockTargetKind.LOCK_TARGET_KIND_AGENT,
  targetId: 'agt_1',
  reason: 'odd',
  expireTime: undefined,
};
const place: LockCommand = { type: 'PlaceLock', lock, at };
const placed: LockEvent = { type: 'LockPlaced', data: lock };
const lift: LockCommand = { type: 'LiftLock', lockId: 'lck_1', reason: 'checked' };
const lifted: LockEvent = { type: 'LockLifted', data: { lockId: 'lck_1', reason: 'checked' } };
const given = givenFor(lockDecider);

describe('a lock', () => {
  it('is placed without an end', () => given().when(place).then(placed));
  it('may end by itself, in the future only', () =>
    given()
      .when({ type: 'PlaceLock', lock: { ...lock, expireTime: at }, at })
      .thenRefused('LOCK_EXPIRED'));
  it('is placed once', () => given(placed).when(place).thenRefused('LOCK_ALREADY_PLACED'));
  it('is lifted, once', () => {
    given(placed).when(lift).then(lifted);
    given(placed, lifted).when(lift).thenNothing();
  });
  it('cannot be lifted before it is placed', () => given().when(lift).thenRefused('LOCK_UNKNOWN'));
});
