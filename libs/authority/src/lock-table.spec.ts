import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type LockEntry, LockTable, lockKinds, type Principal } from './lock-table.js';

const lock: LockEntry = {
  seq: 1,
  kind: 'agent',
  target: 'agt_1',
  notBeforeMs: 100,
  reason: 'stolen key',
  lockId: 'lck_1',
};
const lift: LockEntry = { ...lock, seq: 2, lifted: true };
const agent: Principal = { kind: 'agent', id: 'agt_1' };

function tableOf(...entries: LockEntry[]): LockTable {
  const table = new LockTable();
  for (const entry of entries) expect(table.applyDelta(entry)).toBe('applied');
  return table;
}
const isBlocked = (table: LockTable, o: { issuedAtMs: number; nowMs?: number; principals?: Principal[] }) =>
  table.blockedBy({ principals: [agent], nowMs: 1000, ...o }) !== undefined;

describe('a lock', () => {
  it('stops its target while it is in force, whenever the session was opened', () => {
    const table = tableOf(lock);
    expect(table.blockedBy({ principals: [agent], issuedAtMs: 99, nowMs: 1000 })).toEqual(lock);
    expect(isBlocked(table, { issuedAtMs: 5000 })).toBe(true);
  });

  it('stops nobody else', () => {
    const table = tableOf(lock);
    expect(isBlocked(table, { issuedAtMs: 1, principals: [{ kind: 'agent', id: 'agt_2' }] })).toBe(false);
    expect(isBlocked(table, { issuedAtMs: 1, principals: [{ kind: 'session', id: 'agt_1' }] })).toBe(false);
    expect(isBlocked(table, { issuedAtMs: 1, principals: [] })).toBe(false);
  });

  it.each(lockKinds.filter((kind) => kind !== 'everything'))(
    'stops a %s, wherever it stands in the chain',
    (kind) => {
      const principals: Principal[] = [
        { kind: 'person', id: 'psn_9' },
        { kind, id: 'x' },
      ];
      expect(isBlocked(tableOf({ ...lock, kind, target: 'x' }), { issuedAtMs: 500, principals })).toBe(true);
    },
  );

  it('on everything stops all', () =>
    expect(
      isBlocked(tableOf({ ...lock, kind: 'everything', target: '' }), { issuedAtMs: 500, principals: [] }),
    ).toBe(true));

  it('that was lifted keeps out what was opened before it, and lets in what is opened anew', () => {
    const table = tableOf(lock, lift);
    expect(isBlocked(table, { issuedAtMs: 100 })).toBe(true);
    expect(isBlocked(table, { issuedAtMs: 101 })).toBe(false);
  });

  it('that has expired keeps out what was opened before it, and lets in what is opened anew', () => {
    const table = tableOf({ ...lock, expiresMs: 200 });
    expect(isBlocked(table, { issuedAtMs: 150, nowMs: 199 })).toBe(true);
    expect(isBlocked(table, { issuedAtMs: 150, nowMs: 200 })).toBe(false);
    expect(isBlocked(table, { issuedAtMs: 100, nowMs: 200 })).toBe(true);
  });

  it('stays when another lock on the same target is lifted or expires', () => {
    const other = { ...lock, seq: 2, lockId: 'lck_2', expiresMs: 200 };
    expect(isBlocked(tableOf(lock, other, { ...other, seq: 3, lifted: true }), { issuedAtMs: 500 })).toBe(
      true,
    );
    expect(isBlocked(tableOf(lock, other), { issuedAtMs: 500 })).toBe(true);
    expect(isBlocked(tableOf(lock, other, { ...lift, seq: 3 }), { issuedAtMs: 500 })).toBe(false);
  });

  it('keeps out what was opened before the latest of several stops', () => {
    const again = { ...lock, seq: 3, lockId: 'lck_2', notBeforeMs: 300 };
    const table = tableOf(lock, lift, again, { ...again, seq: 4, lifted: true });
    expect([200, 300, 301].map((issuedAtMs) => isBlocked(table, { issuedAtMs }))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is in doubt in force: times that are no numbers are denied', () => {
    const table = tableOf({ ...lock, expiresMs: 200 });
    expect(isBlocked(table, { issuedAtMs: Number.NaN, nowMs: 300 })).toBe(true);
    expect(isBlocked(table, { issuedAtMs: 150, nowMs: Number.NaN })).toBe(true);
  });
});

describe('a revocation', () => {
  const revoked: LockEntry = { ...lock, kind: 'mandate', target: 'mdt_1', lockId: '' };
  const principals: Principal[] = [{ kind: 'mandate', id: 'mdt_1' }];

  it('stops everything below it for good', () =>
    expect(isBlocked(tableOf(revoked), { issuedAtMs: 1e15, nowMs: 1e15, principals })).toBe(true));

  it('is not shortened by a later entry', () =>
    expect(
      isBlocked(tableOf(revoked, { ...revoked, seq: 2, expiresMs: 101 }), { issuedAtMs: 500, principals }),
    ).toBe(true));

  it('cannot be lifted', () => {
    const table = tableOf(revoked);
    expect(() => table.applyDelta({ ...revoked, seq: 2, lifted: true })).toThrow('cannot be lifted');
    expect(table.seq).toBe(1);
  });
});

describe('the lock table', () => {
  it('reports a hole and changes nothing, so that the caller loads the full state', () => {
    const table = tableOf(lock);
    expect(table.applyDelta({ ...lift, seq: 3 })).toBe('gap');
    expect(table.seq).toBe(1);
    expect(isBlocked(table, { issuedAtMs: 500 })).toBe(true);
  });

  it('ignores what it knows already', () => {
    const table = tableOf(lock, lift);
    expect(table.applyDelta(lock)).toBe('known');
    expect(isBlocked(table, { issuedAtMs: 500 })).toBe(false);
  });

  it('takes a full state in place of all it knew', () => {
    const table = tableOf(lock);
    table.applyFull({ seq: 7, entries: [{ ...lock, seq: 5, target: 'agt_2' }] });
    expect([table.seq, isBlocked(table, { issuedAtMs: 1 })]).toEqual([7, false]);
    expect(isBlocked(table, { issuedAtMs: 1, principals: [{ kind: 'agent', id: 'agt_2' }] })).toBe(true);
  });

  it.each<[string, Partial<LockEntry>]>([
    ['from beyond its position', { seq: 3 }],
    ['without a target', { target: '' }],
    ['without a cut-off', { notBeforeMs: Number.NaN }],
    ['with an expiry that is no time', { expiresMs: Number.NaN }],
    ['at no position', { seq: 0 }],
  ])('refuses a full state with an entry %s and keeps what it knew', (_, change) => {
    const table = tableOf(lock);
    expect(() => table.applyFull({ seq: 2, entries: [{ ...lift, ...change }] })).toThrow(RangeError);
    expect(isBlocked(table, { issuedAtMs: 500 })).toBe(true);
  });

  it('answers the same from a full state in any order as from each entry in turn', () => {
    const anyEntry = fc.record(
      {
        kind: fc.constantFrom('agent' as const, 'session' as const),
        target: fc.constantFrom('a', 'b'),
        notBeforeMs: fc.nat(9),
        expiresMs: fc.nat(9),
        lockId: fc.constantFrom('lck_1', 'lck_2'),
        lifted: fc.boolean(),
      },
      { requiredKeys: ['kind', 'target', 'notBeforeMs', 'lockId', 'lifted'] },
    );
    fc.assert(
      fc.property(fc.array(anyEntry), fc.nat(10), fc.nat(10), (drawn, issuedAtMs, nowMs) => {
        const entries = drawn.map((entry, index): LockEntry => ({ ...entry, seq: index + 1, reason: 'r' }));
        const table = new LockTable();
        table.applyFull({ seq: entries.length, entries: [...entries].reverse() });
        for (const kind of ['agent', 'session'] as const)
          for (const id of ['a', 'b']) {
            const question = { principals: [{ kind, id }], issuedAtMs, nowMs };
            expect(table.blockedBy(question)).toEqual(tableOf(...entries).blockedBy(question));
          }
      }),
    );
  });

  it('forgets only what can stop nothing that still lives', () => {
    const table = tableOf(lock, lift, { ...lock, seq: 3, target: 'agt_2' });
    expect(table.prune({ issuedAtMs: 100, nowMs: 1000 })).toBe(0);
    expect(table.prune({ issuedAtMs: 101, nowMs: 1000 })).toBe(1);
    expect(isBlocked(table, { issuedAtMs: 5000, principals: [{ kind: 'agent', id: 'agt_2' }] })).toBe(true);
  });

  it('forgets the end of a session once no session from before it still lives, and nothing else that is in force', () => {
    const ended = { kind: 'session', target: 'ses_1', lockId: '' } as const;
    const locked = { kind: 'session', target: 'ses_2' } as const;
    const revoked = { kind: 'mandate', target: 'mdt_1', lockId: '' } as const;
    const table = tableOf(
      { ...lock, ...ended },
      { ...lock, ...locked, seq: 2 },
      { ...lock, ...revoked, seq: 3 },
      { ...lock, ...locked, seq: 4, lockId: '' },
      { ...lock, ...ended, seq: 5, lockId: 'lck_5', expiresMs: 500 },
    );
    const stops = ({ kind, target }: { kind: Principal['kind']; target: string }) =>
      isBlocked(table, { issuedAtMs: 99, principals: [{ kind, id: target }] });
    expect(table.prune({ issuedAtMs: 100, nowMs: 1000 })).toBe(0);
    expect(stops(ended)).toBe(true);
    expect(table.prune({ issuedAtMs: 101, nowMs: 1000 })).toBe(1);
    expect([ended, locked, revoked].map(stops)).toEqual([false, true, true]);
  });
});
