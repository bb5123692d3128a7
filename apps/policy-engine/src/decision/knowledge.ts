import type { Hop } from '@writ/authority';
import type { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { unreachable } from '@writ/kernel';
import { delegationHop, longAgo, mandateHop, nobodysHop } from './hop.js';
import type { KnownEvent } from './known-event.js';
import { mayForget } from './retention.js';

export interface KnownAgent {
  readonly id: string;
  /** The team that runs it. */
  readonly owner: string;
  readonly sponsorId: string;
  /** Empty when it follows none. */
  readonly blueprintId: string;
  /** `Environment` of the registry. */
  readonly environment: number;
  /** `Sensitivity` of the registry: the most sensitive data it may touch. */
  readonly sensitivity: number;
  readonly attested: boolean;
  readonly suspended: boolean;
  readonly orphaned: boolean;
  readonly retired: boolean;
  /** 0 to 100; 0 until the registry has scored it. */
  readonly trustScore: number;
}

export interface KnownSession {
  readonly id: string;
  readonly agentId: string;
  readonly mandateId: string;
  readonly delegationIds: readonly string[];
  readonly personId: string;
  readonly task: string;
  readonly purpose: string;
  readonly openedAt: Date;
  readonly expiresAt: Date;
  readonly ended: boolean;
}

export interface KnownApproval {
  readonly id: string;
  readonly sessionId: string;
  readonly actionDigest: string;
  readonly policySetId: string;
  readonly expiresAt: Date;
  readonly approverIds: readonly string[];
  readonly used: boolean;
}

/** What a decision may ask. Nothing is known of what has ended some minutes ago, which is as good as never. */
export interface Known {
  agent(id: string): KnownAgent | undefined;
  /** Whether the person is registered and has not left. */
  isPresent(personId: string): boolean | undefined;
  session(id: string): KnownSession | undefined;
  /** All that are known, ended ones too, in no order. */
  sessions(): Iterable<KnownSession>;
  hop(id: string): Hop | undefined;
  /** Only approvals that were granted. */
  approval(id: string): KnownApproval | undefined;
  /** Whether facts of this key could not be read, so that what is known of it may be wrong. */
  isUnreadable(key: string): boolean;
}

interface Ending<T> {
  readonly value: T;
  /** Milliseconds since 1970 from which on it may be forgotten. */
  readonly forgetMs: number;
}

/**
 * All that decisions are made from: a fold of facts of the registry, the session broker and the approvals service.
 * Deterministic: it reads no clock, and the same facts give the same answers on every replica.
 */
export class Knowledge implements Known {
  readonly #agents = new Map<string, Ending<KnownAgent>>();
  readonly #people = new Map<string, Ending<boolean>>();
  readonly #sessions = new Map<string, Ending<KnownSession>>();
  readonly #hops = new Map<string, Ending<Hop>>();
  readonly #approvals = new Map<string, Ending<KnownApproval>>();
  #unreadable: ReadonlySet<string> = new Set();

  agent(id: string): KnownAgent | undefined {
    return this.#agents.get(id)?.value;
  }

  isPresent(personId: string): boolean | undefined {
    return this.#people.get(personId)?.value;
  }

  session(id: string): KnownSession | undefined {
    return this.#sessions.get(id)?.value;
  }

  *sessions(): Iterable<KnownSession> {
    for (const { value } of this.#sessions.values()) yield value;
  }

  hop(id: string): Hop | undefined {
    return this.#hops.get(id)?.value;
  }

  approval(id: string): KnownApproval | undefined {
    return this.#approvals.get(id)?.value;
  }

  isUnreadable(key: string): boolean {
    return this.#unreadable.has(key);
  }

  setUnreadable(keys: readonly string[]): void {
    this.#unreadable = new Set(keys);
  }

  /** How many things are held, for metrics and for the proof that memory is bounded. */
  get size(): number {
    const maps = [this.#agents, this.#people, this.#sessions, this.#hops, this.#approvals];
    return maps.reduce((sum, map) => sum + map.size, 0);
  }

  /** @param at when the fact was recorded */
  apply(event: KnownEvent, at: Date): void {
    switch (event.type) {
      case 'AgentRegistered': {
        const { agentId, owner, sponsorId, blueprintId, environment, sensitivity } = event.data;
        const described = { id: agentId, owner, sponsorId, blueprintId, environment, sensitivity };
        this.#agents.set(agentId, lasting({ ...described, ...newAgent }));
        break;
      }
      case 'AgentAttested':
        this.#change(event.data.agentId, { attested: true });
        break;
      case 'AgentProvenanceChanged':
        this.#change(event.data.agentId, { attested: false });
        break;
      case 'AgentSuspended':
        this.#change(event.data.agentId, { suspended: true });
        break;
      case 'AgentReinstated':
        this.#change(event.data.agentId, { suspended: false });
        break;
      case 'AgentOrphaned':
        this.#change(event.data.agentId, { orphaned: true, attested: false });
        break;
      case 'AgentSponsorChanged': {
        const { agentId, sponsorId } = event.data;
        this.#change(agentId, { sponsorId, orphaned: false, attested: false });
        break;
      }
      case 'AgentRetired':
        this.#change(event.data.agentId, { retired: true }, at);
        break;
      case 'AgentTrustScored':
        this.#change(event.data.agentId, { trustScore: event.data.score });
        break;
      case 'PersonRegistered':
        this.#people.set(event.data.personId, lasting(true));
        break;
      case 'PersonLeft':
        this.#people.set(event.data.personId, keptUntil(false, at));
        break;
      default:
        this.#applyAuthority(event, at);
    }
  }

  /** Forgets what has ended or expired long enough ago that nobody asks for it. */
  prune(now: Date): void {
    for (const map of [this.#agents, this.#people, this.#sessions, this.#hops, this.#approvals])
      for (const [id, { forgetMs }] of map) if (forgetMs <= now.getTime()) map.delete(id);
  }

  #applyAuthority(
    event: Exclude<KnownEvent, { type: `Agent${string}` | `Person${string}` }>,
    at: Date,
  ): void {
    switch (event.type) {
      case 'MandateGranted':
        this.#granted(mandateHop(event.data), event.data.expireTime);
        break;
      case 'DelegationMade':
        this.#granted(delegationHop(event.data), event.data.expireTime);
        break;
      case 'MandateRevoked':
        this.#revoked(event.data.mandateId, at);
        break;
      case 'DelegationRevoked':
        this.#revoked(event.data.delegationId, at);
        break;
      case 'SessionOpened':
        this.#sessions.set(
          event.data.sessionId,
          keptUntil(openedSession(event.data, at), event.data.expireTime),
        );
        break;
      case 'SessionEnded': {
        const session = this.#sessions.get(event.data.sessionId)?.value;
        if (session !== undefined) this.#sessions.set(session.id, keptUntil({ ...session, ended: true }, at));
        break;
      }
      case 'ApprovalGranted': {
        const { approvalId, sessionId, actionDigest, policySetId, approverIds, expireTime } = event.data;
        const bound = { sessionId, actionDigest, policySetId, approverIds, expiresAt: expireTime ?? longAgo };
        this.#approvals.set(approvalId, keptUntil({ id: approvalId, ...bound, used: false }, expireTime));
        break;
      }
      case 'ApprovalUsed': {
        const approval = this.#approvals.get(event.data.approvalId)?.value;
        if (approval !== undefined)
          this.#approvals.set(approval.id, keptUntil({ ...approval, used: true }, at));
        break;
      }
      case 'ApprovalDenied':
      case 'ApprovalExpired':
      case 'ApprovalWithdrawn':
        this.#approvals.delete(event.data.approvalId);
        break;
      default:
        unreachable(event);
    }
  }

  #change(agentId: string, change: Partial<KnownAgent>, end?: Date): void {
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return;
    const changed = { ...agent.value, ...change };
    this.#agents.set(agentId, end === undefined ? { ...agent, value: changed } : keptUntil(changed, end));
  }

  #granted(hop: Hop, expiresAt: Date | undefined): void {
    // A revocation that came first holds: grants are never renewed under the same id.
    const revoked = this.#hops.get(hop.id)?.value.revoked ?? false;
    this.#hops.set(hop.id, keptUntil({ ...hop, revoked }, expiresAt));
  }

  #revoked(id: string, at: Date): void {
    const hop = this.#hops.get(id);
    if (hop !== undefined) this.#hops.set(id, { ...hop, value: { ...hop.value, revoked: true } });
    else this.#hops.set(id, { value: nobodysHop(id), forgetMs: at.getTime() + revokedFirstMsKept });
  }
}

/** What the facts of an agent begin with. */
const newAgent = { attested: false, suspended: false, orphaned: false, retired: false, trustScore: 0 };

/** The longest life of a mandate and a day: a grant that arrives after its revocation arrives within it. */
const revokedFirstMsKept = 91 * 24 * 60 * 60 * 1000;

function lasting<T>(value: T): Ending<T> {
  return { value, forgetMs: Number.POSITIVE_INFINITY };
}

function keptUntil<T>(value: T, end: Date | undefined): Ending<T> {
  return { value, forgetMs: mayForget(end ?? longAgo).getTime() };
}

function openedSession(data: SessionOpened, at: Date): KnownSession {
  const { sessionId: id, agentId, mandateId, delegationIds, personId, task, purpose } = data;
  const expiresAt = data.expireTime ?? longAgo;
  const authority = { agentId, mandateId, delegationIds, personId, task, purpose };
  return { id, ...authority, openedAt: at, expiresAt, ended: false };
}
