import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { type LockEntry, type LockKind, LockTable } from './lock-table.js';

const kindOf: Readonly<Partial<Record<WatchTargetKind, LockKind>>> = {
  [WatchTargetKind.WATCH_TARGET_KIND_SESSION]: 'session',
  [WatchTargetKind.WATCH_TARGET_KIND_AGENT]: 'agent',
  [WatchTargetKind.WATCH_TARGET_KIND_BLUEPRINT]: 'blueprint',
  [WatchTargetKind.WATCH_TARGET_KIND_OWNER]: 'owner',
  [WatchTargetKind.WATCH_TARGET_KIND_PERSON]: 'person',
  [WatchTargetKind.WATCH_TARGET_KIND_TOOL]: 'tool',
  [WatchTargetKind.WATCH_TARGET_KIND_MANDATE]: 'mandate',
  [WatchTargetKind.WATCH_TARGET_KIND_DELEGATION]: 'delegation',
};

/**
 * A session lives eight hours at most, `SESSION_MS_MAX` of the session-broker; the rest is for clocks that differ. What began
 * longer ago than this is over without a stop order.
 */
const SESSION_MS_MAX = 9 * 60 * 60 * 1000;

/**
 * The lock table of an enforcement point, kept by its watch feed (`writ.watch.v1`), which has checked that nothing is missing.
 * Hence the orders are numbered anew: the table counts from 1, the feed from anywhere.
 */
export class LockOrders {
  #table = new LockTable();

  /** What is in force. A new one after every full state, so it must not be kept. */
  get table(): LockTable {
    return this.#table;
  }

  /** Everything held so far no longer counts. */
  reset(): void {
    this.#table = new LockTable();
  }

  /** Takes the full state, in whatever order it comes. */
  full(entries: readonly WatchEntry[]): void {
    const ordered = entries.toSorted((a, b) => Number(a.seq - b.seq));
    this.#table.applyFull({
      seq: ordered.length,
      entries: ordered.map((entry, index) => lockEntry(entry, index + 1)),
    });
  }

  /** Takes the next order and answers what it says. */
  delta(entry: WatchEntry): LockEntry {
    const known = lockEntry(entry, this.#table.seq + 1);
    this.#table.applyDelta(known);
    return known;
  }

  /** Forgets orders that can stop nothing that still lives, and answers how many. */
  prune(now: Date): number {
    const nowMs = now.getTime();
    return this.#table.prune({ issuedAtMs: nowMs - SESSION_MS_MAX, nowMs });
  }
}

/** An order that is not understood stops everything: it was meant to stop something. */
function lockEntry(entry: WatchEntry, seq: number): LockEntry {
  const known = entry.targetId === '' ? undefined : kindOf[entry.targetKind];
  return {
    seq,
    kind: known ?? 'everything',
    target: known === undefined ? '' : entry.targetId,
    // Without a cut-off whatever was ever issued is stopped.
    notBeforeMs: entry.notBefore?.getTime() ?? Number.MAX_SAFE_INTEGER,
    ...(entry.expireTime !== undefined && { expiresMs: entry.expireTime.getTime() }),
    reason: entry.reason,
    lockId: entry.lockId,
    ...(entry.lifted && entry.lockId !== '' && { lifted: true }),
  };
}
