import type {
  LeaseIssued,
  LeaseRenewed,
  LeaseRevocationFailed,
  LeaseRevocationStarted,
  LeaseRevoked,
  RevokeCause,
} from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type LeaseEvent =
  | { type: 'LeaseIssued'; data: LeaseIssued }
  | { type: 'LeaseRenewed'; data: LeaseRenewed }
  | { type: 'LeaseRevocationStarted'; data: LeaseRevocationStarted }
  | { type: 'LeaseRevocationFailed'; data: LeaseRevocationFailed }
  | { type: 'LeaseRevoked'; data: LeaseRevoked };

/** How long a lease may live: the shortest of what is asked, what the role allows and what is left of the session. */
export interface Span {
  readonly at: Date;
  /** Asked for; 0 for as long as possible. */
  readonly ttlSeconds: number;
  /** Of the database role, counted from the time of issue: renewals do not add to it. */
  readonly ttlSecondsMax: number;
  readonly sessionExpireTime: Date;
}

export interface IssueLease extends Span {
  readonly type: 'IssueLease';
  readonly leaseId: string;
  readonly databaseRoleId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly decisionId: string;
  readonly approvalId: string;
  /** Of the administrator's secret, and the digest of the place its URL leads to: where the login is to be found. */
  readonly secretVersion: number;
  readonly databaseSha256: string;
}

export interface RenewLease extends Span {
  readonly type: 'RenewLease';
  readonly leaseId: string;
  /** The session whose token asks. */
  readonly sessionId: string;
  readonly issueTime: Date;
}

export type LeaseCommand =
  | IssueLease
  | RenewLease
  | { type: 'RevokeLease'; leaseId: string; cause: RevokeCause }
  | { type: 'ConfirmRevocation'; leaseId: string }
  | { type: 'NoteRevocationFailure'; leaseId: string; failure: string };

export interface Lease {
  readonly status: 'unknown' | 'active' | 'revoking' | 'revocation-failed' | 'revoked';
  readonly sessionId: string;
  readonly expireTimeMs: number;
  readonly failures: number;
}

export const refuse = refusals({
  LEASE_UNKNOWN: 'not-found',
  LEASE_ALREADY_ISSUED: 'conflict',
  LEASE_NOT_ACTIVE: 'precondition',
  LEASE_EXPIRED: 'precondition',
  LEASE_OF_ANOTHER_SESSION: 'forbidden',
  LEASE_ABANDONED: 'unavailable',
  SESSION_OVER: 'precondition',
});

const RETRY_SECONDS_MAX = 300;

/** How long to wait after the nth failed revocation, n from 1: 1 s, doubled each time, at most five minutes, for ever. */
export function retrySeconds(failures: number): number {
  return Math.min(RETRY_SECONDS_MAX, 2 ** Math.min(failures - 1, 16));
}

/** The login on the database: one per lease, never used again, and found by anybody who reads the lease. */
export function usernameOf(leaseId: string): string {
  return `writ_${leaseId.toLowerCase()}`;
}

function expiry({ at, ttlSeconds, ttlSecondsMax, sessionExpireTime }: Span, issueTime: Date): Date {
  const asked = at.getTime() + (ttlSeconds === 0 ? ttlSecondsMax : ttlSeconds) * 1000;
  const allowed = issueTime.getTime() + ttlSecondsMax * 1000;
  return new Date(Math.min(asked, allowed, sessionExpireTime.getTime()));
}

function issue(command: IssueLease): LeaseEvent {
  const { leaseId, databaseRoleId, sessionId, agentId, decisionId, approvalId } = command;
  const { secretVersion, databaseSha256 } = command;
  requireSession(command, sessionId);
  return {
    type: 'LeaseIssued',
    data: {
      leaseId,
      databaseRoleId,
      sessionId,
      agentId,
      decisionId,
      approvalId,
      username: usernameOf(leaseId),
      expireTime: expiry(command, command.at),
      secretVersion,
      databaseSha256,
    },
  };
}

function renew(command: RenewLease, lease: Lease): readonly LeaseEvent[] {
  const { leaseId } = command;
  if (lease.sessionId !== command.sessionId)
    throw refuse(
      'LEASE_OF_ANOTHER_SESSION',
      `lease \`${leaseId}\` belongs to another session; ask for one of your own`,
    );
  if (lease.status !== 'active')
    throw refuse('LEASE_NOT_ACTIVE', `lease \`${leaseId}\` is ${lease.status}; ask for a new one`);
  if (lease.expireTimeMs <= command.at.getTime())
    throw refuse('LEASE_EXPIRED', `lease \`${leaseId}\` has expired; ask for a new one`);
  requireSession(command, command.sessionId);
  const expireTime = expiry(command, command.issueTime);
  // A renewal never shortens: what was promised stays, and asking twice changes nothing.
  if (expireTime.getTime() <= lease.expireTimeMs) return [];
  return [{ type: 'LeaseRenewed', data: { leaseId, expireTime } }];
}

function requireSession({ at, sessionExpireTime }: Span, sessionId: string): void {
  if (sessionExpireTime.getTime() <= at.getTime())
    throw refuse(
      'SESSION_OVER',
      `session \`${sessionId}\` expired at ${sessionExpireTime.toISOString()}; open a new one`,
    );
}

function decide(command: LeaseCommand, lease: Lease): readonly LeaseEvent[] {
  const { leaseId } = command;
  if (command.type === 'IssueLease') {
    if (lease.status !== 'unknown')
      throw refuse('LEASE_ALREADY_ISSUED', `lease \`${leaseId}\` is already issued; ask for a new one`);
    return [issue(command)];
  }
  if (lease.status === 'unknown') throw refuse('LEASE_UNKNOWN', `no lease \`${leaseId}\``);
  if (command.type === 'RenewLease') return renew(command, lease);
  if (lease.status === 'revoked') return [];
  switch (command.type) {
    case 'RevokeLease':
      if (lease.status !== 'active') return [];
      return [{ type: 'LeaseRevocationStarted', data: { leaseId, cause: command.cause } }];
    case 'ConfirmRevocation':
      requireRevocation(lease, leaseId);
      return [{ type: 'LeaseRevoked', data: { leaseId } }];
    case 'NoteRevocationFailure': {
      requireRevocation(lease, leaseId);
      const { failure } = command;
      return [{ type: 'LeaseRevocationFailed', data: { leaseId, attempt: lease.failures + 1, failure } }];
    }
    default:
      return unreachable(command);
  }
}

function requireRevocation(lease: Lease, leaseId: string): void {
  if (lease.status === 'active') throw new Error(`lease \`${leaseId}\` is active, nobody asked to revoke it`);
}

function evolve(lease: Lease, event: LeaseEvent): Lease {
  switch (event.type) {
    case 'LeaseIssued': {
      const { sessionId, expireTime } = event.data;
      return { ...lease, status: 'active', sessionId, expireTimeMs: expireTime?.getTime() ?? 0 };
    }
    case 'LeaseRenewed':
      return { ...lease, expireTimeMs: event.data.expireTime?.getTime() ?? 0 };
    case 'LeaseRevocationStarted':
      return { ...lease, status: 'revoking' };
    case 'LeaseRevocationFailed':
      return { ...lease, status: 'revocation-failed', failures: event.data.attempt };
    case 'LeaseRevoked':
      return { ...lease, status: 'revoked' };
    default:
      return unreachable(event);
  }
}

export const leaseDecider: Decider<Lease, LeaseCommand, LeaseEvent> = {
  initialState: () => ({ status: 'unknown', sessionId: '', expireTimeMs: 0, failures: 0 }),
  decide,
  evolve,
};
