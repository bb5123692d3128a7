import { Injectable } from '@nestjs/common';
import { type LockEntry, type LockKind, LockTable } from '@writ/authority';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import {
  Background,
  Clock,
  Identity,
  LockFeed,
  type LockSink,
  Readiness,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import { PolicyEngineSettings } from '../policy-engine.settings.js';

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

/** How long a token may make a decision wait for the stop order it names. */
const reachedMsMax = 50;

/** The stop orders, as the session broker's watch feed brings them. While it is not LIVE there are none to decide from. */
@Injectable()
export class Locks extends Background implements LockSink {
  readonly #feed: LockFeed;
  #table = new LockTable();
  #count = 0;

  constructor(
    settings: PolicyEngineSettings,
    identity: Identity,
    clock: Clock,
    telemetry: Telemetry,
    readiness: Readiness,
  ) {
    super();
    const serverSpiffeId = serviceSpiffeId(identity.trustDomain, 'session-broker');
    const address = settings.sessionBrokerAddress;
    this.#feed = new LockFeed({
      identity,
      address,
      serverSpiffeId,
      pointId: 'policy-engine',
      sink: this,
      clock,
      telemetry,
    });
    readiness.add('feed', () => this.#feed.state() === 'LIVE');
  }

  start(): Promise<void> {
    return this.#feed.start();
  }

  stop(): Promise<void> {
    return this.#feed.stop();
  }

  /** Undefined unless the feed is LIVE at this very moment. */
  current(): LockTable | undefined {
    return this.#feed.state() === 'LIVE' ? this.#table : undefined;
  }

  /** Of the watch feed. */
  get seq(): bigint {
    return this.#feed.seq;
  }

  async reached(seq: bigint): Promise<boolean> {
    return this.#feed.reached(seq, reachedMsMax);
  }

  reset(): void {
    this.#table = new LockTable();
    this.#count = 0;
  }

  full(entries: readonly WatchEntry[]): void {
    const ordered = entries.toSorted((a, b) => (a.seq < b.seq ? -1 : 1));
    this.#count = ordered.length;
    const numbered = ordered.map((entry, index) => lockEntry(entry, index + 1));
    this.#table.applyFull({ seq: this.#count, entries: numbered });
  }

  delta(entry: WatchEntry): void {
    // The feed has seen that nothing is missing. Its numbers may start anywhere, the table's own start at 1.
    this.#count += 1;
    this.#table.applyDelta(lockEntry(entry, this.#count));
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
