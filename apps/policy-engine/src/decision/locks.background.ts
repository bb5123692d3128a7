import { Injectable } from '@nestjs/common';
import { LockOrders, type LockTable } from '@writ/authority';
import type { WatchEntry } from '@writ/contracts/writ/watch/v1/watch.js';
import {
  Background,
  Clock,
  every,
  Identity,
  LockFeed,
  type LockSink,
  Readiness,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import { PolicyEngineSettings } from '../policy-engine.settings.js';

/** How long a token may make a decision wait for the stop order it names. */
const reachedMsMax = 50;
const PRUNE_EVERY_MS = 10_000;

/** The stop orders, as the session broker's watch feed brings them. While it is not LIVE there are none to decide from. */
@Injectable()
export class Locks extends Background implements LockSink {
  readonly #feed: LockFeed;
  readonly #orders = new LockOrders();
  #stopPruning: () => Promise<void> = async () => undefined;

  constructor(
    settings: PolicyEngineSettings,
    identity: Identity,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
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
    this.#stopPruning = every(
      PRUNE_EVERY_MS,
      async () => {
        this.#orders.prune(this.clock.now());
      },
      (cause) => this.telemetry.log.error({ err: cause }, 'stop orders were not pruned, it is tried again'),
    );
    return this.#feed.start();
  }

  async stop(): Promise<void> {
    await this.#stopPruning();
    await this.#feed.stop();
  }

  /** Undefined unless the feed is LIVE at this very moment. */
  current(): LockTable | undefined {
    return this.#feed.state() === 'LIVE' ? this.#orders.table : undefined;
  }

  /** Of the watch feed. */
  get seq(): bigint {
    return this.#feed.seq;
  }

  async reached(seq: bigint): Promise<boolean> {
    return this.#feed.reached(seq, reachedMsMax);
  }

  reset(): void {
    this.#orders.reset();
  }

  full(entries: readonly WatchEntry[]): void {
    this.#orders.full(entries);
  }

  delta(entry: WatchEntry): void {
    this.#orders.delta(entry);
  }
}
