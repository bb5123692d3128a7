import { type LockEntry, type LockKind, LockTable } from './lock-table.js';

/** A stop order as the watch feed brings it; the shape that `writ/watch/v1/watch.proto` is generated with. */
export interface StopMessage {
  seq: bigint;
  /** A `WatchTargetKind`. */
  targetKind: number;
  targetId: string;
  notBefore?: Date | undefined;
  expireTime?: Date | undefined;
  reason: string;
  lockId: string;
  lifted: boolean;
}

/** By the numbers of `WatchTargetKind`. */
const kinds: readonly (LockKind | undefined)[] = [
  undefined,
  'session',
  'agent',
  'blueprint',
  'owner',
  'person',
  'tool',
  'everything',
  'mandate',
  'delegation',
];

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
  full(entries: readonly StopMessage[]): void {
    const ordered = entries.toSorted((a, b) => Number(a.seq - b.seq));
    this.#table.applyFull({
      seq: ordered.length,
      entries: ordered.map((entry, index) => lockEntry(entry, index + 1)),
    });
  }

  /** Takes the next order and answers what it says. */
  delta(entry: StopMessage): LockEntry {
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
function lockEntry(entry: StopMessage, seq: number): LockEntry {
  const kind = entry.targetId === '' ? 'everything' : (kinds[entry.targetKind] ?? 'everything');
  return {
    seq,
    kind,
    target: kind === 'everything' ? '' : entry.targetId,
    // Without a cut-off whatever was ever issued is stopped.
    notBeforeMs: entry.notBefore?.getTime() ?? Number.MAX_SAFE_INTEGER,
    ...(entry.expireTime !== undefined && { expiresMs: entry.expireTime.getTime() }),
    reason: entry.reason,
    lockId: entry.lockId,
    ...(entry.lifted && entry.lockId !== '' && { lifted: true }),
  };
}
