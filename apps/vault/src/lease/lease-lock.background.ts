import { Injectable } from '@nestjs/common';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { Background, Clock, every, OwnCalls, Telemetry } from '@writ/service';
import { type LockChange, Locks } from '../lock/lock-sink.store.js';
import { type HeldLease, KnownSessions } from '../session/session.store.js';
import { LeaseRevocation } from './lease.background.js';

const AGAIN_EVERY_MS = 1_000;
const BATCH = 500;

/**
 * A stop order revokes at once what it hits, without waiting for the facts of the sessions that it ends. Those come too,
 * by the bus, and change nothing any more: revoking twice is one revocation.
 */
@Injectable()
export class LeaseLocks extends Background {
  readonly #changes: LockChange[] = [];
  #working = false;
  #stop: () => Promise<void> = async () => undefined;

  constructor(
    private readonly locks: Locks,
    private readonly sessions: KnownSessions,
    private readonly revocation: LeaseRevocation,
    private readonly calls: OwnCalls,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
    locks.onChange((change) => {
      this.#changes.push(change);
      void this.#work();
    });
  }

  async start(): Promise<void> {
    // What failed stays in the queue.
    this.#stop = every(
      AGAIN_EVERY_MS,
      () => this.#work(),
      (cause) => this.#failed(cause),
    );
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  /** One at a time and in order. Never rejects. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let change = this.#changes[0]; change !== undefined; change = this.#changes[0]) {
        await this.#apply(change);
        this.#changes.shift();
      }
    } catch (cause) {
      this.#failed(cause);
    } finally {
      this.#working = false;
    }
  }

  async #apply({ kind, target, lockId }: LockChange): Promise<void> {
    for (let after = ''; ; ) {
      const held = await this.sessions.heldBy(kind, target, after, BATCH);
      await Promise.all(
        held.filter((lease) => this.#isStopped(lease)).map((lease) => this.#revoke(lease, lockId)),
      );
      const last = held.at(-1);
      if (last === undefined || held.length < BATCH) return;
      after = last.leaseId;
    }
  }

  #isStopped({ principals, sessionOpenTime }: HeldLease): boolean {
    return this.locks.blocking(principals, sessionOpenTime, this.clock.now()) !== undefined;
  }

  async #revoke(lease: HeldLease, lockId: string): Promise<void> {
    const call = this.calls.next(`lock:${lockId || 'feed'}`);
    await this.revocation.revoke(lease, RevokeCause.REVOKE_CAUSE_LOCKED, call);
  }

  #failed(cause: unknown): void {
    this.telemetry.log.error(
      { err: cause },
      'leases were not looked at after a stop order, it is tried again',
    );
  }
}
