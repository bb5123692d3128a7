import {
  type Action,
  type Chain,
  chainPrincipals,
  type LockEntry,
  type LockTable,
  type Principal,
  toolsOf,
} from '@writ/authority';
import type { KnownAgent } from './knowledge.js';
import type { ReasonCode } from './reasons.js';
import { deny, type Verdict } from './verdict.js';

/** Who and what takes part in an action, and when its session was opened. */
export interface Parties {
  readonly chain: Chain;
  /** Every agent of the chain. */
  readonly agents: readonly KnownAgent[];
  readonly action: Action;
  readonly sessionOpenedAt: Date;
}

/** The deny of a stop order on anyone or anything in an action, if there is one. */
export function stopVerdict(
  { chain, agents, action, sessionOpenedAt }: Parties,
  locks: LockTable,
  at: Date,
): Verdict | undefined {
  const entry = locks.blockedBy({
    principals: [...chainPrincipals(chain), ...agents.flatMap(principalsOf), ...toolsOf(action)],
    issuedAtMs: sessionOpenedAt.getTime(),
    nowMs: at.getTime(),
  });
  return entry && deny(codeOf(entry), sentenceOf(entry, at));
}

function principalsOf({ owner, blueprintId }: KnownAgent): readonly Principal[] {
  const team: Principal = { kind: 'owner', id: owner };
  return blueprintId === '' ? [team] : [team, { kind: 'blueprint', id: blueprintId }];
}

/** What has no lock is the end of a session, or a revoked mandate or delegation. */
function codeOf({ lockId, kind }: LockEntry): ReasonCode {
  if (lockId === '' && kind === 'session') return 'SESSION_ENDED';
  if (lockId === '' && kind === 'mandate') return 'MANDATE_REVOKED';
  if (lockId === '' && kind === 'delegation') return 'DELEGATION_REVOKED';
  return 'LOCKED';
}

function sentenceOf({ kind, target, lockId, lifted, expiresMs, reason }: LockEntry, at: Date): string {
  const what = kind === 'everything' ? 'everything' : `${kind} \`${target}\``;
  if (lockId === '') return `${what} has ended${reason === '' ? '' : `: ${reason}`}`;
  const over = lifted === true || (expiresMs !== undefined && at.getTime() >= expiresMs);
  if (over) return `${what} was locked by \`${lockId}\` after this session was opened; open a new one`;
  return `${what} is locked by \`${lockId}\`${reason === '' ? '' : `: ${reason}`}`;
}
