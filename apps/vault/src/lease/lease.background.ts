import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { type Call, Refusal } from '@writ/kernel';
import { Background, Clock, every, OwnCalls, Telemetry } from '@writ/service';
import { type LeaseRow, LeaseView } from './lease.view.js';
import { LeaseBackend } from './lease-backend.flow.js';
import { LeaseCommands } from './lease-command.flow.js';
import { LeaseLanes } from './lease-lane.store.js';
import { LeaseMaking } from './lease-making.store.js';

const SWEEP_EVERY_MS = 500;
const BATCH = 200;
const STOP_MS_MAX = 800;

/**
 * Ends leases. That one is to be revoked is durable before its database is told, so nothing depends on this process: at its
 * start and every half second it takes up whatever is due, its own or another's that died. Timers are rows.
 */
@Injectable()
export class LeaseRevocation extends Background {
  readonly #running = new Map<string, Promise<void>>();
  readonly #lanes = new LeaseLanes();
  #stopped = false;
  #stop: () => Promise<void> = async () => undefined;

  constructor(
    private readonly commands: LeaseCommands,
    private readonly leases: LeaseView,
    private readonly making: LeaseMaking,
    private readonly backend: LeaseBackend,
    private readonly calls: OwnCalls,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#stop = every(
      SWEEP_EVERY_MS,
      () => this.#sweep(),
      (cause) => this.#failed('leases were not swept', cause),
    );
  }

  /** What is under way and cut off is taken up after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#stop();
    const ended = new AbortController();
    await Promise.race([
      Promise.all(this.#running.values()),
      delay(STOP_MS_MAX, undefined, { signal: ended.signal }).catch(() => undefined),
    ]);
    ended.abort();
  }

  /**
   * Resolves when it is durable that the lease must go. From then on it is told to its database until that confirms.
   * @returns resolves after the first attempt, whatever came of it; never rejects
   */
  async revoke(
    { leaseId, agentId, databaseRoleId }: Pick<LeaseRow, 'leaseId' | 'agentId' | 'databaseRoleId'>,
    cause: RevokeCause,
    call: Call,
  ): Promise<{ attempted: Promise<void> }> {
    await this.commands.handle({ type: 'RevokeLease', leaseId, cause }, agentId, call);
    return { attempted: this.soon({ leaseId, databaseRoleId }, call) };
  }

  /** Tries at once to revoke a lease that is due. Never rejects: a failure is recorded and tried again. */
  soon(
    { leaseId, databaseRoleId }: Pick<LeaseRow, 'leaseId' | 'databaseRoleId'>,
    call?: Call,
  ): Promise<void> {
    return this.#once(leaseId, databaseRoleId, () => this.#attempt(leaseId, call));
  }

  /** Three parts that know nothing of each other, so that none keeps another from its work. */
  async #sweep(): Promise<void> {
    const now = this.clock.now();
    const parts = [this.#expire(now), this.#abandon(now), this.#tryAgain(now)];
    await Promise.all(
      parts.map((part) => part.catch((cause) => this.#failed('leases were not swept', cause))),
    );
  }

  async #expire(now: Date): Promise<void> {
    for (const lease of await this.leases.expired(now, BATCH))
      await this.#alone(lease.leaseId, async () => {
        await this.revoke(lease, RevokeCause.REVOKE_CAUSE_EXPIRED, this.calls.next('timer:expire-leases'));
      });
  }

  async #abandon(now: Date): Promise<void> {
    for (const leaseId of await this.making.overdue(now, BATCH))
      await this.#alone(leaseId, async () => {
        const { databaseRoleId } = await this.leases.get(leaseId);
        void this.#once(`making ${leaseId}`, databaseRoleId, () => this.#giveUp(leaseId));
      });
  }

  async #tryAgain(now: Date): Promise<void> {
    for (const lease of await this.leases.due(now, BATCH)) void this.soon(lease);
  }

  /** A lease that fails is still due at the next sweep and keeps the others of this one from nothing. */
  async #alone(leaseId: string, work: () => Promise<void>): Promise<void> {
    await work().catch((cause) => this.#failed('a lease was not swept, it is tried again', cause, leaseId));
  }

  /**
   * Revokes at the database first and records afterwards. If we stop between the two, the next attempt revokes again:
   * providers MUST accept revoking twice.
   */
  async #attempt(leaseId: string, cause: Call | undefined): Promise<void> {
    const lease = await this.leases.find(leaseId);
    if (lease?.status !== 'revoking' && lease?.status !== 'revocation-failed') return;
    const failure = await this.#tell(lease);
    // Below the trace of what asked for it, at the time of now, and not under its request id.
    const by = cause ?? this.calls.next('timer:revoke-leases');
    const call = { ...by, at: this.clock.now(), requestId: '', requestHash: '' };
    if (failure === undefined) {
      await this.commands.handle({ type: 'ConfirmRevocation', leaseId }, lease.agentId, call);
      return;
    }
    await this.commands.handle({ type: 'NoteRevocationFailure', leaseId, failure }, lease.agentId, call);
    const failures = lease.failures + 1;
    this.telemetry.log.warn({ leaseId, failures, failure }, 'lease was not revoked, it is tried again');
  }

  /** What went wrong, in words that may be recorded; undefined when the login is gone. */
  async #tell(lease: LeaseRow): Promise<string | undefined> {
    try {
      await this.backend.revoke(lease);
      return undefined;
    } catch (cause) {
      if (cause instanceof Refusal) return `${cause.code}: ${cause.message}`;
      this.#failed('lease was not revoked', cause);
      return 'INTERNAL: the vault failed, its log says why';
    }
  }

  /** A lease whose making was never ended: nobody has its password, so it goes. */
  async #giveUp(leaseId: string): Promise<void> {
    const lease = await this.leases.get(leaseId);
    if (lease.status === 'active')
      await this.revoke(lease, RevokeCause.REVOKE_CAUSE_ABANDONED, this.calls.next('timer:abandon-leases'));
    // Its login may have been made after it was revoked.
    else if (lease.status === 'revoked') await this.backend.revoke(lease);
    await this.making.end(leaseId);
  }

  #once(key: string, databaseRoleId: string, work: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined || this.#stopped) return running ?? Promise.resolve();
    const done = this.#lanes
      .run(databaseRoleId, work)
      .catch((cause) => this.#failed('a revocation broke off', cause))
      .finally(() => this.#running.delete(key));
    this.#running.set(key, done);
    return done;
  }

  #failed(message: string, cause: unknown, leaseId?: string): void {
    this.telemetry.log.error({ err: cause, leaseId }, message);
  }
}
