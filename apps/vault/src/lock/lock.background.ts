import { Injectable } from '@nestjs/common';
import {
  Background,
  Clock,
  type FeedState,
  Identity,
  LockFeed,
  Readiness,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import { VaultSettings } from '../vault.settings.js';
import { Locks } from './lock-sink.store.js';

/** The vault's line to the session-broker's stop orders. While it is not LIVE, nothing is issued and nothing is read. */
@Injectable()
export class LockWatch extends Background {
  readonly #feed: LockFeed;

  constructor(
    settings: VaultSettings,
    identity: Identity,
    clock: Clock,
    telemetry: Telemetry,
    readiness: Readiness,
    locks: Locks,
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
    return this.#feed.start();
  }

  stop(): Promise<void> {
    return this.#feed.stop();
  }

  state(): FeedState {
    return this.#feed.state();
  }

  /** Whether every order up to `seq` is known, waiting a little for it. */
  reached(seq: bigint): Promise<boolean> {
    return this.#feed.reached(seq);
  }
}
