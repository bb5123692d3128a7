import { Injectable } from '@nestjs/common';
import { type LockEntry, type LockKind, LockTable, type Principal } from '@writ/authority';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import type { LockSink } from '@writ/service';

/** What has changed: one target, or possibly all of them. */
export type LockChange = { readonly kind: LockKind; readonly target: string; readonly lockId: string };

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

const anything: LockChange = { kind: 'everything', target: '', lockId: '' };

/** The stop orders that are in force, as the feed brings them, and who wants to hear of each at once. */
@Injectable()
export class Locks implements LockSink {
  #table = new LockTable();
  #count = 0;
  #changed: (change: LockChange) => void = () => undefined;

  /** One listener; it MUST NOT throw and does its work later. */
  onChange(changed: (change: LockChange) => void): void {
    this.#changed = changed;
  }

  /** What stops an action of these principals in a session of that age, if anything does. */
  blocking(principals: readonly Principal[], sessionOpenTime: Date, now: Date): LockEntry | undefined {
    return this.#table.blockedBy({
      principals,
      issuedAtMs: sessionOpenTime.getTime(),
      nowMs: now.getTime(),
    });
  }

  reset(): void {
    this.#table = new LockTable();
    this.#count = 0;
  }

  full(entries: readonly WatchEntry[]): void {
    const ordered = entries.toSorted((a, b) => Number(a.seq - b.seq));
    this.#count = ordered.length;
    this.#table.applyFull({
      seq: this.#count,
      entries: ordered.map((entry, index) => lockEntry(entry, index + 1)),
    });
    this.#changed(anything);
  }

  delta(entry: WatchEntry): void {
    // The feed has checked that nothing is missing; counting anew keeps the table's own check without the feed's start.
    this.#count += 1;
    const known = lockEntry(entry, this.#count);
    this.#table.applyDelta(known);
    this.#changed({ kind: known.kind, target: known.target, lockId: known.lockId });
  }
}

/** An order of a kind that is not known here stops everything: it was meant to stop something. */
function lockEntry(entry: WatchEntry, seq: number): LockEntry {
  const kind = kindOf[entry.targetKind] ?? 'everything';
  return {
    seq,
    kind,
    target: kind === 'everything' ? '' : entry.targetId,
    // Without a cut-off everything that was ever issued is stopped.
    notBeforeMs: entry.notBefore?.getTime() ?? Number.MAX_SAFE_INTEGER,
    ...(entry.expireTime !== undefined && { expiresMs: entry.expireTime.getTime() }),
    reason: entry.reason,
    lockId: entry.lockId,
    ...(entry.lifted && { lifted: true }),
  };
}
