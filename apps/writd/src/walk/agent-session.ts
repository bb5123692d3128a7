import { randomBytes, sign } from 'node:crypto';
import type { DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { Action, Position } from '@writ/contracts/writ/type/v1/authority.js';
import type { Clock, SuiteRecord } from '@writ/service';
import type { Clients } from '../suite/clients.js';
import type { Member } from './cast.js';

const ASSERTION_SECONDS = 30;

/** What an agent's work needs of the place where it happens. */
export interface Workplace {
  readonly clock: Clock;
  readonly suite: { readonly record: SuiteRecord };
  /** The enforcement point that asks before it acts. */
  readonly point: Clients;
}

/** RFC 7523 section 3: the agent's word that it is the agent, signed with its registered key. */
export function assertionOf(agent: Member, issuer: string, nowMs: number): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(nowMs / 1000);
  const jti = randomBytes(16).toString('base64url');
  const header = encode({ alg: 'ES256', typ: 'JWT', kid: agent.keyId });
  const claims = encode({
    iss: agent.id,
    sub: agent.id,
    aud: issuer,
    iat,
    exp: iat + ASSERTION_SECONDS,
    jti,
  });
  const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
    key: agent.signingKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${header}.${claims}.${signature.toString('base64url')}`;
}

/** An agent at work: a session, and fresh tokens of it. */
export class AgentSession {
  #knownAt: Position[] = [];

  private constructor(
    private readonly place: Workplace,
    readonly agent: Member,
    readonly sessionId: string,
    private token: string,
  ) {}

  static async open(
    place: Workplace,
    agent: Member,
    authority: { mandateId?: string; delegationId?: string },
    task: string,
  ) {
    const { issuer = '' } = place.suite.record.others;
    const opened = await agent.clients.sessions.openSession({
      assertion: assertionOf(agent, issuer, place.clock.now().getTime()),
      mandateId: authority.mandateId ?? '',
      delegationId: authority.delegationId ?? '',
      task,
      requestId: '',
    });
    const session = new AgentSession(place, agent, opened.session?.sessionId ?? '', opened.accessToken);
    session.knows(opened.position);
    return session;
  }

  get accessToken(): string {
    return this.token;
  }

  /** Whatever is decided from now on knows of this fact. */
  knows(position: Position | undefined): void {
    if (position !== undefined)
      this.#knownAt = [...this.#knownAt.filter(({ source }) => source !== position.source), position];
  }

  get atLeast(): Position[] {
    return this.#knownAt;
  }

  /** The enforcement point's question: may the agent that shows this token and this certificate do that, now? */
  decide(action: Action, o: { approvalId?: string; requestId?: string } = {}): Promise<DecideResponse> {
    return this.place.point.decisions.decide({
      token: this.token,
      presentedCertificateSha256: this.agent.identity.current().certificateSha256,
      action,
      approvalId: o.approvalId ?? '',
      requestId: o.requestId ?? '',
      atLeast: this.#knownAt,
    });
  }
}

export function isAllowed({ outcome }: DecideResponse): boolean {
  return outcome === Outcome.OUTCOME_ALLOW;
}
