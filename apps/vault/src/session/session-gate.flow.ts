import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type AccessTokenClaims, actChain, type Principal, parseClaims } from '@writ/authority';
import type { Position } from '@writ/contracts/writ/type/v1/authority.js';
import { type Call, Refusal, refusals } from '@writ/kernel';
import { Clock, Consumers, SigningKeys, TokenVerifier } from '@writ/service';
import { LeaseReactions } from '../lease/lease.reactions.js';
import { LockWatch } from '../lock/lock.background.js';
import { Locks } from '../lock/lock-sink.store.js';
import { type KnownSession, KnownSessions } from './session.store.js';

export const refuseSession = refusals({
  LOCKS_STALE: 'unavailable',
  FACTS_STALE: 'unavailable',
  LOCKED: 'forbidden',
  SESSION_ENDED: 'precondition',
  TOKEN_NOT_YOURS: 'unauthenticated',
});

/** How long facts may still be on their way before the answer is no. */
const WAIT_MS_MAX = 500;
const ASK_EVERY_MS = 20;

/** A session that may act now, as far as the vault knows: the policy-engine decides whether it may do this. */
export interface Admitted {
  readonly session: KnownSession;
  /** From the agent right below the mandate to the acting one. */
  readonly agentIds: readonly string[];
  readonly principals: readonly Principal[];
  /** Of the acting agent's certificate. */
  readonly certificateSha256: string;
}

/** What an agent shows: its token, and which certificate it presented to whom. */
export interface Presented {
  readonly token: string;
  /** Only what an enforcement point says counts; an agent's own is that of its connection. */
  readonly certificateSha256: string;
  readonly atLeast: readonly Position[];
}

/** Who may come in: a verified token of a live session, nobody in its chain stopped, all of it known for sure. */
@Injectable()
export class SessionGate {
  constructor(
    private readonly tokens: TokenVerifier,
    private readonly keys: SigningKeys,
    private readonly sessions: KnownSessions,
    private readonly feed: LockWatch,
    private readonly locks: Locks,
    private readonly consumers: Consumers,
    private readonly clock: Clock,
  ) {}

  /** @throws Refusal LOCKS_STALE, FACTS_STALE, LOCKED, SESSION_ENDED, TOKEN_NOT_YOURS, and those of `TokenVerifier` */
  async admit(presented: Presented, call: Call): Promise<Admitted> {
    this.#requireLive();
    const certificateSha256 =
      call.caller.kind === 'agent' ? call.caller.certificateSha256 : presented.certificateSha256;
    const claims = await this.#claims(presented.token, certificateSha256, call);
    if (call.caller.kind === 'agent' && claims.client_id !== call.caller.id)
      throw refuseSession('TOKEN_NOT_YOURS', `the token is of another agent than \`${call.caller.id}\``);
    if (!(await this.feed.reached(BigInt(claims.min_seq ?? 0))))
      throw refuseSession(
        'LOCKS_STALE',
        `stop orders up to ${claims.min_seq} are not known here yet; ask again`,
      );
    const agentIds = actChain(claims);
    const { session, kin } = await this.#known(claims, agentIds, presented.atLeast);
    const admitted = {
      session,
      agentIds,
      certificateSha256,
      principals: [...principalsOf(claims, agentIds), ...kin],
    };
    this.requireFree(admitted);
    return admitted;
  }

  /** To be asked again after whatever took time: nothing here waits. @throws Refusal LOCKS_STALE, LOCKED */
  requireFree({ session, principals }: Admitted, also: readonly Principal[] = []): void {
    this.#requireLive();
    const lock = this.locks.blocking([...principals, ...also], session.openTime, this.clock.now());
    if (lock !== undefined)
      throw refuseSession(
        'LOCKED',
        `a stop order on the ${lock.kind} forbids it: ${lock.lockId || 'revoked or ended'}`,
      );
  }

  #requireLive(): void {
    const state = this.feed.state();
    if (state !== 'LIVE')
      throw refuseSession(
        'LOCKS_STALE',
        `stop orders are not known for sure (\`${state}\`); nothing is issued until then`,
      );
  }

  async #claims(token: string, certificateSha256: string, { at }: Call): Promise<AccessTokenClaims> {
    try {
      return parseClaims(this.tokens.verify(token, { certificateSha256, at }).all);
    } catch (cause) {
      if (!(cause instanceof Refusal && cause.code === 'TOKEN_KEY_UNKNOWN')) throw cause;
    }
    // Another replica may have consumed the fact of a new key.
    await this.keys.refresh();
    return parseClaims(this.tokens.verify(token, { certificateSha256, at }).all);
  }

  /** Waits until the facts that the caller knows of, its session and every agent in its chain are known here too. */
  async #known(claims: AccessTokenClaims, agentIds: readonly string[], atLeast: readonly Position[]) {
    for (let waitedMs = 0; ; waitedMs += ASK_EVERY_MS) {
      const [reached, session, kin] = await Promise.all([
        this.#reached(atLeast),
        this.sessions.find(claims.sid),
        this.sessions.kin(agentIds),
      ]);
      if (session?.ended)
        throw refuseSession('SESSION_ENDED', `session \`${claims.sid}\` has ended; open a new one`);
      if (reached && session !== undefined && kin !== undefined) return { session, kin };
      if (waitedMs >= WAIT_MS_MAX)
        throw refuseSession(
          'FACTS_STALE',
          `session \`${claims.sid}\` or its agents are not known here yet; ask again`,
        );
      await delay(ASK_EVERY_MS);
    }
  }

  async #reached(atLeast: readonly Position[]): Promise<boolean> {
    if (atLeast.length === 0) return true;
    const positions = await this.consumers.of(LeaseReactions).positions();
    // Of other sources the vault knows nothing; the policy-engine is asked for them with the decision.
    return atLeast.every(({ source, pos }) => {
      const known = positions.get(source);
      return known === undefined || BigInt(known.completeTo) >= pos;
    });
  }
}

function principalsOf(claims: AccessTokenClaims, agentIds: readonly string[]): readonly Principal[] {
  return [
    { kind: 'session', id: claims.sid },
    { kind: 'person', id: claims.sub },
    { kind: 'mandate', id: claims.mandate_id },
    ...claims.delegation_ids.map((id): Principal => ({ kind: 'delegation', id })),
    ...agentIds.map((id): Principal => ({ kind: 'agent', id })),
  ];
}
