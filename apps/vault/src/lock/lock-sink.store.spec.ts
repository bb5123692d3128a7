import { describe, expect, it } from '@jest/globals';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { type LockChange, Locks } from './lock-sink.store.js';

const opened = new Date(Date.UTC(2026, 8, 1, 9, 0));
const now = new Date(Date.UTC(2026, 8, 1, 9, 6));
const agent = { kind: 'agent', id: 'agt_1' } as const;
const lock = (seq: bigint): WatchEntry => ({
  seq,
  targetKind: WatchTargetKind.WATCH_TARGET_KIND_AGENT,
  targetId: agent.id,
  notBefore: new Date(Date.UTC(2026, 8, 1, 9, 5)),
  expireTime: undefined,
  reason: 'drill',
  lockId: `lck_${seq}`,
  lifted: false,
});

function locks() {
  const sink = new Locks();
  const changes: LockChange[] = [];
  sink.onChange((change) => changes.push(change));
  sink.reset();
  return { sink, changes };
}

describe('stop orders at the vault', () => {
  it('are in force before anybody is told of them, with whom they name', () => {
    const { sink, changes } = locks();
    sink.full([]);
    sink.delta(lock(41n));
    expect(changes.at(-1)).toEqual({ kind: 'agent', target: 'agt_1', lockId: 'lck_41' });
    expect(sink.blocking([agent], opened, now)?.lockId).toBe('lck_41');
    expect(sink.blocking([{ kind: 'agent', id: 'agt_2' }], opened, now)).toBeUndefined();
  });

  it('of a full state may be about anything', () => {
    const { sink, changes } = locks();
    sink.full([lock(41n)]);
    expect(changes).toEqual([{ kind: 'everything', target: '', lockId: '' }]);
    expect(sink.blocking([agent], opened, now)?.lockId).toBe('lck_41');
  });
});
