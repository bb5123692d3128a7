import type { Action } from './action.js';
import { isDelegable } from './attenuate.js';
import type { AuthorizationDetail } from './detail.js';
import type { Grant } from './grant.js';
import { isUnlimited, type Limits, overuseOfEach, type Use } from './limits.js';
import type { Principal } from './lock-table.js';
import { firstCover, type MismatchReason } from './match.js';

/** One hop of authority: person to agent (a mandate) or agent to agent (a delegation). */
export interface Hop {
  readonly kind: 'mandate' | 'delegation';
  readonly id: string;
  /** The hop it hangs below; undefined for a mandate. */
  readonly parentId?: string;
  /** Who gave it: `psn_…` for a mandate, `agt_…` for a delegation. */
  readonly grantorId: string;
  /** The agent that may act under it. */
  readonly holderId: string;
  readonly grant: Grant;
  readonly revoked: boolean;
}

/** The live state of one agent working under the last hop. */
export interface SessionHop {
  readonly id: string;
  readonly agentId: string;
  readonly purpose: string;
  readonly expiresAt: Date;
  readonly ended: boolean;
}

/** A session and the hops above it, from the mandate down. */
export interface Chain {
  readonly mandate: Hop;
  /** From the hop right below the mandate to the one the session works under. */
  readonly delegations: readonly Hop[];
  readonly session: SessionHop;
}

export type HopReason =
  | 'REVOKED'
  | 'EXPIRED'
  | 'LINK'
  | 'PURPOSE'
  | 'DEPTH'
  | 'WIDER'
  | 'AMOUNT_EACH'
  | MismatchReason;

export type SessionReason = 'SESSION_ENDED' | 'SESSION_EXPIRED' | 'SESSION_PURPOSE' | 'SESSION_LINK';

/** Closed; for example `MANDATE_AMOUNT` or `DELEGATION_REVOKED`. */
export type ChainReason = `MANDATE_${HopReason}` | `DELEGATION_${HopReason}` | SessionReason;

/** What a limit of one hop must give before the action is allowed. */
export interface LimitDemand extends Use {
  /** `mandate:mdt_…` or `delegation:dlg_…` */
  readonly key: string;
  readonly limits: Limits;
}

export type ChainVerdict =
  | {
      readonly allowed: true;
      /** The detail of the last hop that covers the action. */
      readonly detail: AuthorizationDetail;
      /** One per hop that has limits, from the mandate down. All are consumed together or none. */
      readonly limitDemands: readonly LimitDemand[];
    }
  | {
      readonly allowed: false;
      readonly reason: ChainReason;
      /** Whose hop failed: `mandate:mdt_…`, `delegation:dlg_…` or `session:ses_…`. */
      readonly hop: string;
      /** For people. */
      readonly message: string;
    };

type Failure = Extract<ChainVerdict, { allowed: false }>;

/**
 * Whether authority reaches from the person at the root down to this action of this session, at this
 * moment. First every hop and the session must live, hang together and be narrower than what is above; then
 * every hop must cover the action itself. Answers the first that fails, from the mandate down. Locks and
 * limit totals are the caller's to ask.
 */
export function evaluateChain(o: Chain & { readonly action: Action; readonly at: Date }): ChainVerdict {
  const { mandate, delegations, session, action, at } = o;
  const hops = [mandate, ...delegations];
  for (const [depth, hop] of hops.entries()) {
    const failure = lifeFailure(hop, at) ?? linkFailure(hop, hops[depth - 1]);
    if (failure !== undefined) return failure;
  }
  const failure = sessionFailure(session, hops.at(-1) ?? mandate, at);
  if (failure !== undefined) return failure;
  const limitDemands: LimitDemand[] = [];
  let detail: AuthorizationDetail | undefined;
  for (const hop of hops) {
    const cover = coverOf(hop, action);
    if ('allowed' in cover) return cover;
    detail = cover.detail;
    if (!isUnlimited(hop.grant.limits)) limitDemands.push(demandOf(hop, action));
  }
  if (detail === undefined) throw new Error(`chain of session \`${session.id}\` has no hop`);
  return { allowed: true, detail, limitDemands };
}

/**
 * Everyone and everything in a chain that a lock may stop. Blueprints, owners and tools are for the caller
 * to add.
 */
export function chainPrincipals({ mandate, delegations, session }: Chain): readonly Principal[] {
  return [
    { kind: 'session', id: session.id },
    { kind: 'agent', id: session.agentId },
    { kind: 'person', id: mandate.grantorId },
    { kind: 'mandate', id: mandate.id },
    { kind: 'agent', id: mandate.holderId },
    ...delegations.flatMap(({ id, holderId }): Principal[] => [
      { kind: 'delegation', id },
      { kind: 'agent', id: holderId },
    ]),
  ];
}

function lifeFailure(hop: Hop, at: Date): Failure | undefined {
  if (hop.revoked) return failed(hop, 'REVOKED', `${hop.kind} \`${hop.id}\` is revoked`);
  if (!isBefore(at, hop.grant.expiresAt))
    return failed(hop, 'EXPIRED', `${hop.kind} \`${hop.id}\` has expired`);
  return undefined;
}

function linkFailure(hop: Hop, above: Hop | undefined): Failure | undefined {
  const expectedKind = above === undefined ? 'mandate' : 'delegation';
  const follows = above === undefined || hop.grantorId === above.holderId;
  if (hop.kind !== expectedKind || hop.parentId !== above?.id || !follows)
    return failed(hop, 'LINK', `${hop.kind} \`${hop.id}\` does not hang below ${above?.id ?? 'a person'}`);
  if (above === undefined) return undefined;
  const narrower = isDelegable(hop.grant, above.grant);
  if (narrower === true) return undefined;
  const reason = narrower.reason === 'PURPOSE' || narrower.reason === 'DEPTH' ? narrower.reason : 'WIDER';
  return failed(hop, reason, `delegation \`${hop.id}\`: ${narrower.message}`);
}

function coverOf(hop: Hop, action: Action): { readonly detail: AuthorizationDetail } | Failure {
  const cover = firstCover(hop.grant.details, action);
  if ('mismatch' in cover)
    return failed(hop, cover.mismatch.reason, `outside ${hop.kind} \`${hop.id}\`: ${cover.mismatch.message}`);
  const overuse = overuseOfEach(hop.grant.limits, action.amount);
  if (overuse !== undefined)
    return failed(hop, 'AMOUNT_EACH', `outside ${hop.kind} \`${hop.id}\`: ${overuse.message}`);
  return cover;
}

function demandOf({ kind, id, grant }: Hop, { amount }: Action): LimitDemand {
  return { key: `${kind}:${id}`, limits: grant.limits, ...(amount && { amount }), calls: 1 };
}

function sessionFailure(session: SessionHop, last: Hop, at: Date): Failure | undefined {
  const fail = (reason: SessionReason, message: string): Failure => {
    return {
      allowed: false,
      reason,
      hop: `session:${session.id}`,
      message: `session \`${session.id}\` ${message}`,
    };
  };
  if (session.ended) return fail('SESSION_ENDED', 'has ended; open a new one');
  if (!isBefore(at, session.expiresAt)) return fail('SESSION_EXPIRED', 'has expired; open a new one');
  if (session.agentId !== last.holderId)
    return fail('SESSION_LINK', `does not belong to the holder of \`${last.id}\``);
  if (session.purpose !== last.grant.purpose)
    return fail('SESSION_PURPOSE', `must serve \`${last.grant.purpose}\``);
  return undefined;
}

function failed(hop: Hop, reason: HopReason, message: string): Failure {
  const prefix = hop.kind === 'mandate' ? 'MANDATE' : 'DELEGATION';
  return { allowed: false, reason: `${prefix}_${reason}`, hop: `${hop.kind}:${hop.id}`, message };
}

// An invalid date is before nothing and after nothing: it must read as expired.
function isBefore(at: Date, expiresAt: Date): boolean {
  return at.getTime() < expiresAt.getTime();
}
