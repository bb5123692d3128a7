import { Injectable } from '@nestjs/common';
import { type LockEntry, type LockKind, LockOrders, type Principal } from '@writ/authority';
import type { WatchEntry } from '@writ/contracts/writ/watch/v1/watch.js';
import type { LockSink } from '@writ/service';

/** What has changed: one target, or possibly all of them. */
export type LockChange = { readonly kind: LockKind; readonly target: string; readonly lockId: string };

const anything: LockChange = { kind: 'everything', target: '', lockId: '' };

/** The stop orders that are in force, as the feed brings them, and who wants to hear of each at once. */
@Injectable()
export class Locks implements LockSink {
  readonly #orders = new LockOrders();
  #changed: (change: LockChange) => void = () => undefined;

  /** One listener; it MUST NOT throw and does its work later. */
  onChange(changed: (change: LockChange) => void): void {
    this.#changed = changed;
  }

  /** What stops an action of these principals in a session of that age, if anything does. */
  blocking(principals: readonly Principal[], sessionOpenTime: Date, now: Date): LockEntry | undefined {
    return this.#orders.table.blockedBy({
      principals,
      issuedAtMs: sessionOpenTime.getTime(),
      nowMs: now.getTime(),
    });
  }

  /** Forgets orders that can stop nothing that still lives, and answers how many. */
  prune(now: Date): number {
    return this.#orders.prune(now);
  }

  reset(): void {
    this.#orders.reset();
  }

  full(entries: readonly WatchEntry[]): void {
    this.#orders.full(entries);
    this.#changed(anything);
  }

  delta(entry: WatchEntry): void {
    const { kind, target, lockId } = this.#orders.delta(entry);
    this.#changed({ kind, target, lockId });
  }
}
