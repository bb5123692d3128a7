import { describe, expect, it } from '@jest/globals';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { LockOrders } from './lock-orders.js';
import type { Principal } from './lock-table.js';

const opened = new Date(Date.UTC(2026, 8, 1, 9, 0));
const placed = new Date(Date.UTC(2026, 8, 1, 9, 5));
const now = new Date(Date.UTC(2026, 8, 1, 9, 6));
const agent = { kind: 'agent', id: 'agt_1' } as const;
const other = { kind: 'agent', id: 'agt_2' } as const;
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

function ordered(...entries: WatchEntry[]) {
  const orders = new LockOrders();
  orders.full([]);
  for (const entry of entries) orders.delta(entry);
  return orders;
}

const stops = (orders: LockOrders, one: Principal, issuedAt = opened, at = now) =>
  orders.table.blockedBy({
    principals: [one],
    issuedAtMs: issuedAt.getTime(),
    nowMs: at.getTime(),
  })?.lockId;

describe('stop orders at an enforcement point', () => {
  it('know every kind of the contract by its number', () => {
    const names = Object.keys(WatchTargetKind).filter((name) => name.startsWith('WATCH_TARGET_KIND_'));
    const numbered = names.map((name) => [
      name.slice('WATCH_TARGET_KIND_'.length).toLowerCase(),
      WatchTargetKind[name as keyof typeof WatchTargetKind],
    ]);
    for (const [kind, targetKind] of numbered.slice(1)) {
      const order = lock(1n, { targetKind: targetKind as WatchTargetKind, targetId: 'x' });
      expect(new LockOrders().delta(order)).toMatchObject({ kind, target: kind === 'everything' ? '' : 'x' });
    }
    expect(numbered).toHaveLength(10);
  });

  it('stop whom they name and nobody else, wherever the feed begins to count', () => {
    const orders = ordered(lock(41n));
    expect(stops(orders, agent)).toBe('lck_41');
    expect(stops(orders, other)).toBeUndefined();
  });

  it('leave old sessions stopped when they are lifted, and new ones free', () => {
    const orders = ordered(lock(41n), lock(42n, { lockId: 'lck_41', lifted: true }));
    expect(stops(orders, agent)).toBe('lck_41');
    expect(stops(orders, agent, now)).toBeUndefined();
  });

  it.each<[string, Partial<WatchEntry>]>([
    ['of a kind that is not known here', { targetKind: 99 as WatchTargetKind, targetId: 'x' }],
    ['that name nobody', { targetId: '' }],
    ['without a kind', { targetKind: WatchTargetKind.WATCH_TARGET_KIND_UNSPECIFIED }],
  ])('%s stop everything', (_title, wish) => {
    expect(stops(ordered(lock(41n, wish)), other)).toBe('lck_41');
    const orders = new LockOrders();
    orders.full([lock(41n, wish)]);
    expect(stops(orders, other)).toBe('lck_41');
  });

  it('without a cut-off stop whatever was ever issued', () =>
    expect(
      stops(ordered(lock(41n, { notBefore: undefined, lockId: '' })), agent, new Date(now.getTime() + 1)),
    ).toBe(''));

  it('that lift nothing lift nothing: a revocation stays', () => {
    const revoked = { targetKind: WatchTargetKind.WATCH_TARGET_KIND_MANDATE, targetId: 'mdt_1', lockId: '' };
    const orders = ordered(lock(41n, revoked), lock(42n, { ...revoked, lifted: true }));
    expect(stops(orders, { kind: 'mandate', id: 'mdt_1' }, now)).toBe('');
  });

  it('are forgotten when the feed starts over, and taken in the order of their numbers', () => {
    const orders = ordered(lock(41n));
    orders.reset();
    orders.full([
      lock(51n, { targetId: other.id, lockId: 'lck_50', lifted: true }),
      lock(50n, { targetId: other.id }),
    ]);
    orders.delta(lock(52n, { targetId: 'agt_4' }));
    expect(stops(orders, agent)).toBeUndefined();
    expect(stops(orders, other)).toBe('lck_50');
    expect(stops(orders, other, now)).toBeUndefined();
    expect(stops(orders, { kind: 'agent', id: 'agt_4' })).toBe('lck_52');
  });

  it('do not pile up: the end of a session is forgotten when no session of its time can live any more', () => {
    const session = { kind: 'session', id: 'ses_1' } as const;
    const ended = { targetKind: WatchTargetKind.WATCH_TARGET_KIND_SESSION, targetId: session.id, lockId: '' };
    const orders = ordered(lock(41n, ended), lock(42n));
    const after = (hours: number) => new Date(placed.getTime() + hours * 3_600_000);
    expect(orders.prune(after(8))).toBe(0);
    expect(stops(orders, session, opened, after(8))).toBe('');
    expect(orders.prune(after(9.1))).toBe(1);
    expect(stops(orders, session, opened, after(9.1))).toBeUndefined();
    expect(stops(orders, agent, opened, after(9.1))).toBe('lck_42');
  });
});
