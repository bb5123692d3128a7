import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type Principal, toolsOf } from '@writ/authority';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { Database, type Tx } from '@writ/event-store';
import { type Call, Refusal } from '@writ/kernel';
import { Clock, Secret } from '@writ/service';
import { type DatabaseRoleRow, DatabaseRoleView } from '../database-role/database-role.view.js';
import { Decisions } from '../decision/decision.client.js';
import { KnownSessions } from '../session/session.store.js';
import { type Admitted, type Presented, refuseSession, SessionGate } from '../session/session-gate.flow.js';
import { LeaseRevocation } from './lease.background.js';
import { refuse } from './lease.js';
import { type LeaseRow, LeaseView } from './lease.view.js';
import { leaseAction } from './lease-action.js';
import { type Administrator, LeaseBackend } from './lease-backend.flow.js';
import { LeaseCommands } from './lease-command.flow.js';
import { LeaseMaking } from './lease-making.store.js';

/** Generated: 256 bits, so nothing has to stretch it. */
const PASSWORD_BYTES = 32;
/** Time in which a revocation is waited for before it is answered as under way. */
const ATTEMPT_MS_MAX = 1_000;

export interface IssueWish extends Presented {
  readonly databaseRoleId: string;
  readonly ttlSeconds: number;
  readonly approvalId: string;
}

export interface RenewWish extends Presented {
  readonly leaseId: string;
  readonly ttlSeconds: number;
}

export interface IssuedLease {
  readonly lease: LeaseRow;
  readonly password: Secret<string>;
}

/**
 * The order of things, which is what keeps a credential from outliving its record: decided, recorded, made, checked again,
 * handed out. Whatever fails after the record leads to a revocation.
 */
@Injectable()
export class LeaseFlow {
  constructor(
    private readonly database: Database,
    private readonly gate: SessionGate,
    private readonly decisions: Decisions,
    private readonly sessions: KnownSessions,
    private readonly roles: DatabaseRoleView,
    private readonly leases: LeaseView,
    private readonly making: LeaseMaking,
    private readonly commands: LeaseCommands,
    private readonly backend: LeaseBackend,
    private readonly revocation: LeaseRevocation,
    private readonly clock: Clock,
  ) {}

  /**
   * The password is handed out once and kept nowhere. So a retry under the same request id is refused and not answered
   * with another password: whoever held the first one would lose it, and nobody could tell which of the two was used.
   *
   * @throws Refusal of the gate, the decision, the secret and the database; LEASE_ALREADY_ISSUED for a retry
   */
  async issue(wish: IssueWish, call: Call): Promise<IssuedLease> {
    const admitted = await this.gate.admit(wish, call);
    const role = await this.roles.get(wish.databaseRoleId);
    const action = leaseAction(role, wish.ttlSeconds);
    const tools = toolsOf(action);
    this.gate.requireFree(admitted, tools);
    const admin = await this.backend.administrator(role);
    const { approvalId, atLeast, token } = wish;
    const { certificateSha256, session } = admitted;
    const question = { token, certificateSha256, sessionId: session.sessionId, action, approvalId, atLeast };
    const decisionId = await this.decisions.allow(question, call);
    const lease = await this.#record(wish, admitted, { role, admin, decisionId }, call);
    const password = await this.#make(lease, role, admin, call);
    // Somebody may have been locked since the decision; orders that came before the record have not seen the lease.
    await this.#requireStillFree(lease, admitted, tools, call);
    return { lease: await this.#handOut(lease, call), password };
  }

  /** Never beyond the session's end or what the role allows in total. The record comes first, the database second. */
  async renew({ leaseId, ttlSeconds, ...presented }: RenewWish, call: Call): Promise<LeaseRow> {
    const admitted = await this.gate.admit(presented, call);
    const { session, agentIds } = admitted;
    const lease = await this.leases.get(leaseId);
    const { issueTime, databaseRoleId } = lease;
    const role = await this.roles.get(databaseRoleId);
    this.gate.requireFree(admitted, toolsOf(leaseAction(role, ttlSeconds)));
    const { sessionId, expireTime: sessionExpireTime } = session;
    const { ttlSecondsMax } = role;
    const span = { at: call.at, ttlSeconds, ttlSecondsMax, sessionExpireTime };
    await this.database.transaction(async (tx) => {
      await this.#holdLive(tx, sessionId, agentIds, call);
      const command = { type: 'RenewLease', leaseId, sessionId, issueTime, ...span } as const;
      await this.commands.handle(command, lease.agentId, call, tx);
    });
    const renewed = await this.leases.get(leaseId);
    if (renewed.status === 'active') await this.backend.extend(renewed, renewed.expireTime);
    return this.leases.get(leaseId);
  }

  /** Answers after the first attempt or a second, whichever comes first; the state says how far it is. */
  async revoke(leaseId: string, call: Call): Promise<LeaseRow> {
    const lease = await this.leases.get(leaseId);
    const { attempted } = await this.revocation.revoke(lease, RevokeCause.REVOKE_CAUSE_REQUESTED, call);
    await Promise.race([attempted, delay(Math.min(ATTEMPT_MS_MAX, call.deadlineMs / 2))]);
    return this.leases.get(leaseId);
  }

  async #record(
    { ttlSeconds, approvalId }: IssueWish,
    { session, agentIds }: Admitted,
    { role, admin, decisionId }: { role: DatabaseRoleRow; admin: Administrator; decisionId: string },
    call: Call,
  ): Promise<LeaseRow> {
    const leaseId = call.newId('lse');
    const { sessionId, agentId, expireTime: sessionExpireTime } = session;
    const { databaseRoleId, ttlSecondsMax } = role;
    const { secretVersion, databaseSha256 } = admin;
    const ids = { leaseId, databaseRoleId, sessionId, agentId, decisionId, approvalId };
    const made = { secretVersion, databaseSha256 };
    const span = { at: call.at, ttlSeconds, ttlSecondsMax, sessionExpireTime };
    const giveUpTime = new Date(call.at.getTime() + call.deadlineMs + this.backend.createMsMax);
    await this.database.transaction(async (tx) => {
      await this.#holdLive(tx, sessionId, agentIds, call);
      await this.making.begin(tx, leaseId, giveUpTime);
      const handled = await this.commands.handle(
        { type: 'IssueLease', ...ids, ...made, ...span },
        agentId,
        call,
        tx,
      );
      if (handled.replayed) throw alreadyIssued(handled.streamId);
    });
    return this.leases.get(leaseId);
  }

  async #requireStillFree(lease: LeaseRow, admitted: Admitted, tools: readonly Principal[], call: Call) {
    try {
      this.gate.requireFree(admitted, tools);
    } catch (cause) {
      const locked = cause instanceof Refusal && cause.code === 'LOCKED';
      const because = locked ? RevokeCause.REVOKE_CAUSE_LOCKED : RevokeCause.REVOKE_CAUSE_ABANDONED;
      await this.revocation.revoke(lease, because, anew(call));
      throw cause;
    }
  }

  async #holdLive(tx: Tx, sessionId: string, agentIds: readonly string[], { at }: Call): Promise<void> {
    if (!(await this.sessions.holdLive(tx, { sessionId, agentIds, at })))
      throw refuseSession('SESSION_ENDED', `session \`${sessionId}\` is over; open a new one`);
  }

  async #make(
    lease: LeaseRow,
    role: DatabaseRoleRow,
    { url }: Administrator,
    call: Call,
  ): Promise<Secret<string>> {
    const { username, expireTime } = lease;
    const password = new Secret(Buffer.from(this.clock.randomBytes(PASSWORD_BYTES)).toString('base64url'));
    try {
      await this.backend.create(url, role, { username, password, expireTime });
      return password;
    } catch (cause) {
      // The row of its making stays: the database may still do late what it did not confirm in time.
      await this.revocation.revoke(lease, RevokeCause.REVOKE_CAUSE_ABANDONED, anew(call));
      throw cause;
    }
  }

  /** The last check, after which a revocation finds the login there and removes it. */
  async #handOut({ leaseId }: LeaseRow, call: Call): Promise<LeaseRow> {
    const lease = await this.leases.get(leaseId);
    if (lease.status !== 'active') {
      // It was revoked while its login was being made, perhaps before there was one.
      await this.backend.revoke(lease);
      await this.making.end(leaseId);
      throw refuse(
        'LEASE_NOT_ACTIVE',
        `lease \`${leaseId}\` was revoked while it was made; ask for a new one`,
      );
    }
    const late = this.clock.now().getTime() >= call.at.getTime() + call.deadlineMs;
    if (late || !(await this.making.end(leaseId)))
      throw refuse(
        'LEASE_ABANDONED',
        `lease \`${leaseId}\` came too late for its caller and is revoked; ask again`,
      );
    return lease;
  }
}

/** A command that follows from the call and is not the one its request id stands for. */
function anew(call: Call): Call {
  return { ...call, requestId: '', requestHash: '' };
}

function alreadyIssued(streamId: string) {
  const leaseId = streamId.slice('lease-'.length);
  return refuse(
    'LEASE_ALREADY_ISSUED',
    `the request led to lease \`${leaseId}\`, whose password is shown once; revoke it and ask with a new request id`,
  );
}
