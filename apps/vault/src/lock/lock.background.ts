import { Injectable } from '@nestjs/common';
import {
  Background,
  Clock,
  every,
  type FeedState,
  Identity,
  LockFeed,
  Readiness,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import { VaultSettings } from '../vault.settings.js';
import { Locks } from './lock-sink.store.js';

const PRUNE_EVERY_MS = 10_000;

/** The vault's line to the session-broker's stop orders. While it is not LIVE, nothing is issued and nothing is read. */
@Injectable()
export class LockWatch extends Background {
  readonly #feed: LockFeed;
  #stopPruning: () => Promise<void> = async () => undefined;

  constructor(
    settings: VaultSettings,
    identity: Identity,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
    readiness: Readiness,
    private readonly locks: Locks,
  ) {
    super();
    this.#feed = new LockFeed({
      identity,
      address: settings.sessionBrokerAddress,
      serverSpiffeId: serviceSpiffeId(identity.trustDomain, 'session-broker'),
      pointId: 'vault',
      sink: locks,
      clock,
      telemetry,
    });
    readiness.add('feed', () => this.#feed.state() === 'LIVE');
  }

  start(): Promise<void> {
    this.#stopPruning = every(
      PRUNE_EVERY_MS,
      async () => {
        this.locks.prune(this.clock.now());
      },
      (cause) => this.telemetry.log.error({ err: cause }, 'stop orders were not pruned, it is tried again'),
    );
    return this.#feed.start();
  }

  async stop(): Promise<void> {
    await this.#stopPruning();
    await this.#feed.stop();
  }

  state(): FeedState {
    return this.#feed.state();
  }

  /** Whether every order up to `seq` is known, waiting a little for it. */
  reached(seq: bigint): Promise<boolean> {
    return this.#feed.reached(seq);
  }
}
