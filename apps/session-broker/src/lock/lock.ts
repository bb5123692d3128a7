import type { LockLifted, LockPlaced } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type LockEvent = { type: 'LockPlaced'; data: LockPlaced } | { type: 'LockLifted'; data: LockLifted };

export type LockCommand =
  | { type: 'PlaceLock'; lock: LockPlaced; at: Date }
  | { type: 'LiftLock'; lockId: string; reason: string };

export interface Lock {
  readonly status: 'unknown' | 'placed' | 'lifted';
}

export const refuse = refusals({
  LOCK_UNKNOWN: 'not-found',
  LOCK_ALREADY_PLACED: 'conflict',
  LOCK_EXPIRED: 'invalid',
});

function decide(command: LockCommand, lock: Lock): readonly LockEvent[] {
  switch (command.type) {
    case 'PlaceLock': {
      if (lock.status !== 'unknown')
        throw refuse('LOCK_ALREADY_PLACED', `lock \`${command.lock.lockId}\` is placed already`);
      const { expireTime } = command.lock;
      if (expireTime !== undefined && expireTime <= command.at)
        throw refuse('LOCK_EXPIRED', 'a lock expires in the future, or not at all');
      return [{ type: 'LockPlaced', data: command.lock }];
    }
    case 'LiftLock': {
      const { lockId, reason } = command;
      if (lock.status === 'unknown') throw refuse('LOCK_UNKNOWN', `no lock \`${lockId}\``);
      return lock.status === 'lifted' ? [] : [{ type: 'LockLifted', data: { lockId, reason } }];
    }
    default:
      return unreachable(command);
  }
}

function evolve(_: Lock, event: LockEvent): Lock {
  switch (event.type) {
    case 'LockPlaced':
      return { status: 'placed' };
    case 'LockLifted':
      return { status: 'lifted' };
    default:
      return unreachable(event);
  }
}

export const lockDecider: Decider<Lock, LockCommand, LockEvent> = {
  initialState: () => ({ status: 'unknown' }),
  decide,
  evolve,
};
