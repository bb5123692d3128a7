import { describe, expect, it } from '@jest/globals';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { type LockChange, Locks } from './lock-sink.store.js';

const opened = new Date(Date.UTC(2026, 8, 1, 9, 0));
const placed = new Date(Date.UTC(2026, 8, 1, 9, 5));
const now = new Date(Date.UTC(2026, 8, 1, 9, 6));
const agent = { kind: 'agent', id: 'agt_1' } as const;
const lock = (seq: bigint, wish: Partial<WatchEntry> = {}): WatchEntry => ({
  seq,
  targetKind: WatchTargetKind.WATCH_TARGET_KIND_AGENT,
  targetId: agent.id,
  notBefore: placed,
  expireTime: undefined,
  reason: 'drill',
  lockId: `lck_${seq}`,
  lifted: false,
  ...wish,
});

function locks() {
  const sink = new Locks();
  const changes: LockChange[] = [];
  sink.onChange((change) => changes.push(change));
  sink.reset();
  sink.full([]);
  return { sink, changes };
}

describe('stop orders at the vault', () => {
  it('stop whom they name and nobody else', () => {
    const { sink } = locks();
    sink.delta(lock(41n));
    expect(sink.blocking([agent], opened, now)?.lockId).toBe('lck_41');
    expect(sink.blocking([{ kind: 'agent', id: 'agt_2' }], opened, now)).toBeUndefined();
  });

  it('are told of at once, with whom they name', () => {
    const { sink, changes } = locks();
    sink.delta(lock(41n));
    expect(changes.at(-1)).toEqual({ kind: 'agent', target: 'agt_1', lockId: 'lck_41' });
  });

  it('leave old sessions stopped when they are lifted, and new ones free', () => {
    const { sink } = locks();
    sink.delta(lock(41n));
    sink.delta(lock(42n, { lockId: 'lck_41', lifted: true }));
    expect(sink.blocking([agent], opened, now)).toBeDefined();
    expect(sink.blocking([agent], now, now)).toBeUndefined();
  });

  it('of a kind that is not known here stop everything', () => {
    const { sink } = locks();
    sink.delta(lock(41n, { targetKind: 99 as WatchTargetKind, targetId: 'x' }));
    expect(sink.blocking([{ kind: 'agent', id: 'agt_2' }], opened, now)).toBeDefined();
  });

  it('are forgotten when the feed starts over, and everything is looked at again', () => {
    const { sink, changes } = locks();
    sink.delta(lock(41n));
    sink.reset();
    sink.full([lock(50n, { targetId: 'agt_3' }), lock(49n, { targetId: 'agt_2' })]);
    sink.delta(lock(51n, { targetId: 'agt_4' }));
    expect(sink.blocking([agent], opened, now)).toBeUndefined();
    for (const id of ['agt_2', 'agt_3', 'agt_4'])
      expect(sink.blocking([{ kind: 'agent', id }], opened, now)).toBeDefined();
    expect(changes.at(-2)).toEqual({ kind: 'everything', target: '', lockId: '' });
  });
});
