import type {
  SessionEndCause,
  SessionEnded,
  SessionOpened,
  TokenIssued,
} from '@writ/contracts/writ/session/v1/session_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';
import { agentsOf, expiryOf, type Hops, isLive } from './chain.js';

export type SessionEvent =
  | { type: 'SessionOpened'; data: SessionOpened }
  | { type: 'TokenIssued'; data: TokenIssued }
  | { type: 'SessionEnded'; data: SessionEnded };

/** What must hold of everybody in the chain. */
export interface Standing {
  readonly hops: Hops | undefined;
  readonly personActive: boolean;
  /** Agents of the chain that may not act now. */
  readonly inactiveAgentIds: readonly string[];
  /** The id of a lock in force on anybody in the chain; empty when there is none. */
  readonly lockId: string;
}

export type SessionCommand =
  | {
      type: 'OpenSession';
      sessionId: string;
      agentId: string;
      task: string;
      tokenId: string;
      keyId: string;
      certificateSha256: string;
      standing: Standing;
      at: Date;
    }
  | {
      type: 'IssueToken';
      sessionId: string;
      agentId: string;
      tokenId: string;
      keyId: string;
      certificateSha256: string;
      standing: Standing;
      at: Date;
    }
  | { type: 'EndSession'; sessionId: string; cause: SessionEndCause };

export interface Session {
  readonly status: 'unknown' | 'open' | 'ended';
  readonly opened: SessionOpened | undefined;
}

export const refuse = refusals({
  SESSION_UNKNOWN: 'not-found',
  SESSION_ALREADY_OPEN: 'conflict',
  SESSION_ENDED: 'precondition',
  SESSION_EXPIRED: 'precondition',
  AUTHORITY_UNKNOWN: 'not-found',
  AUTHORITY_ENDED: 'precondition',
  NOT_THE_HOLDER: 'forbidden',
  AGENT_NOT_ACTIVE: 'precondition',
  PERSON_NOT_ACTIVE: 'precondition',
  LOCKED: 'forbidden',
  NOT_YOUR_SESSION: 'forbidden',
});

const SESSION_MS_MAX = 8 * 60 * 60 * 1000;
const TOKEN_MS_MAX = 5 * 60 * 1000;

/** When a token that is issued now ends: five minutes, and never after its session. */
export function tokenExpiry(at: Date, sessionExpireTime: Date): Date {
  return new Date(Math.min(at.getTime() + TOKEN_MS_MAX, sessionExpireTime.getTime()));
}

/**
 * The hops under which an agent may work at `at`: all of them in force and held by it, nobody in them stopped.
 * @throws Refusal otherwise
 */
export function requireStanding(agentId: string, standing: Standing, at: Date): Hops {
  const { hops, personActive, inactiveAgentIds, lockId } = standing;
  if (hops === undefined) throw refuse('AUTHORITY_UNKNOWN', 'no such mandate or delegation');
  if (agentsOf(hops).at(-1) !== agentId)
    throw refuse('NOT_THE_HOLDER', `what \`${agentId}\` names was given to another agent`);
  if (!isLive(hops, at))
    throw refuse('AUTHORITY_ENDED', 'the mandate, or a delegation below it, has expired or was revoked');
  if (lockId !== '') throw refuse('LOCKED', `lock \`${lockId}\` is in force on somebody in the chain`);
  if (!personActive)
    throw refuse('PERSON_NOT_ACTIVE', 'the person who granted the mandate is not active any more');
  const [inactive] = inactiveAgentIds;
  if (inactive !== undefined) {
    throw refuse(
      'AGENT_NOT_ACTIVE',
      `agent \`${inactive}\` may not act: it is not attested, suspended, orphaned or retired`,
    );
  }
  return hops;
}

function open(command: Extract<SessionCommand, { type: 'OpenSession' }>): readonly SessionEvent[] {
  const { sessionId, agentId, task, certificateSha256, at } = command;
  const hops = requireStanding(agentId, command.standing, at);
  const expireTime = new Date(Math.min(expiryOf(hops).getTime(), at.getTime() + SESSION_MS_MAX));
  const { mandateId, personId, purpose } = hops.mandate.granted;
  const delegationIds = hops.delegations.map(({ made }) => made.delegationId);
  const opened: SessionOpened = {
    sessionId,
    agentId,
    mandateId,
    delegationIds,
    personId,
    task,
    purpose,
    expireTime,
    certificateSha256,
  };
  return [{ type: 'SessionOpened', data: opened }, token(command, expireTime)];
}

/**
 * Tokens count in whole seconds: in the last one of its session a token would have ended when it begins.
 * @throws Refusal SESSION_EXPIRED
 */
export function requireTokenLife(sessionId: string, expireTime: Date, at: Date): void {
  if (Math.floor(expireTime.getTime() / 1000) > Math.floor(at.getTime() / 1000)) return;
  throw refuse('SESSION_EXPIRED', `session \`${sessionId}\` has no second left; open a new one`);
}

function token(
  {
    tokenId,
    sessionId,
    agentId,
    keyId,
    certificateSha256,
    at,
  }: Omit<Extract<SessionCommand, { type: 'IssueToken' }>, 'type' | 'standing'>,
  sessionExpireTime: Date,
): SessionEvent {
  const expireTime = tokenExpiry(at, sessionExpireTime);
  requireTokenLife(sessionId, expireTime, at);
  return { type: 'TokenIssued', data: { tokenId, sessionId, agentId, keyId, expireTime, certificateSha256 } };
}

function decide(command: SessionCommand, session: Session): readonly SessionEvent[] {
  if (command.type === 'OpenSession') {
    if (session.status !== 'unknown')
      throw refuse('SESSION_ALREADY_OPEN', `session \`${command.sessionId}\` is open already`);
    return open(command);
  }
  const { sessionId } = command;
  const { opened, status } = session;
  if (opened === undefined) throw refuse('SESSION_UNKNOWN', `no session \`${sessionId}\``);
  switch (command.type) {
    case 'IssueToken':
      if (command.agentId !== opened.agentId)
        throw refuse('NOT_YOUR_SESSION', `session \`${sessionId}\` is another agent's`);
      if (status === 'ended')
        throw refuse('SESSION_ENDED', `session \`${sessionId}\` has ended; open a new one`);
      if (opened.expireTime === undefined || command.at >= opened.expireTime) {
        throw refuse('SESSION_EXPIRED', `session \`${sessionId}\` has expired; open a new one`);
      }
      requireStanding(command.agentId, command.standing, command.at);
      return [token(command, opened.expireTime)];
    case 'EndSession':
      if (status === 'ended') return [];
      return [{ type: 'SessionEnded', data: { sessionId, agentId: opened.agentId, cause: command.cause } }];
    default:
      return unreachable(command);
  }
}

function evolve(session: Session, event: SessionEvent): Session {
  switch (event.type) {
    case 'SessionOpened':
      return { status: 'open', opened: event.data };
    case 'TokenIssued':
      return session;
    case 'SessionEnded':
      return { ...session, status: 'ended' };
    default:
      return unreachable(event);
  }
}

export const sessionDecider: Decider<Session, SessionCommand, SessionEvent> = {
  initialState: () => ({ status: 'unknown', opened: undefined }),
  decide,
  evolve,
};
