import { Injectable } from '@nestjs/common';
import { MAX_DEPTH } from '@writ/authority';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import type { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { Database, type Tx } from '@writ/event-store';
import { DelegationView } from '../delegation/delegation.view.js';
import { MandateView } from '../mandate/mandate.view.js';
import { PartyDirectory } from '../party/party.store.js';
import { StopView } from '../stop/stop.view.js';
import { agentsOf, type HeldDelegation, type Hops } from './chain.js';
import type { Standing } from './session.js';

type Querying = Pick<Tx, 'query'>;
type Authority = Pick<SessionOpened, 'mandateId' | 'delegationIds'>;

/** Looks up the hops of a session, and how everybody in them stands. */
@Injectable()
export class SessionChain {
  constructor(
    private readonly database: Database,
    private readonly mandates: MandateView,
    private readonly delegations: DelegationView,
    private readonly parties: PartyDirectory,
    private readonly stops: StopView,
  ) {}

  async underMandate(mandateId: string, on: Querying = this.database): Promise<Hops | undefined> {
    const mandate = await this.mandates.find(mandateId, on);
    return mandate && { mandate, delegations: [] };
  }

  /** The hops from the mandate down to a delegation. */
  async underDelegation(delegationId: string, on: Querying = this.database): Promise<Hops | undefined> {
    const hops: HeldDelegation[] = [];
    for (let next = delegationId; next !== '' && hops.length <= MAX_DEPTH; ) {
      const hop = await this.delegations.find(next, on);
      if (hop === undefined) return undefined;
      hops.unshift(hop);
      next = hop.made.parentDelegationId;
    }
    const mandate = await this.mandates.find(hops[0]?.made.mandateId ?? '', on);
    return mandate && { mandate, delegations: hops };
  }

  async ofSession({ mandateId, delegationIds }: Authority, on?: Querying): Promise<Hops | undefined> {
    const last = delegationIds.at(-1);
    return last === undefined ? this.underMandate(mandateId, on) : this.underDelegation(last, on);
  }

  /**
   * How everybody in a chain stands at `at`: whoever is unknown does not stand well. Who is not active is waited for.
   * @param sessionId of the session, where there is one that a lock may stop
   */
  async standing(hops: Hops | undefined, at: Date, sessionId = ''): Promise<Standing> {
    return this.#standing(hops, { at, sessionId });
  }

  /**
   * The same as of this very moment, in a transaction that holds the head of our facts: what is not seen here comes after
   * the transaction, and meets the session it makes.
   */
  async standingIn(tx: Tx, session: Authority & { sessionId: string }, at: Date): Promise<Standing> {
    return this.#standing(await this.ofSession(session, tx), { at, sessionId: session.sessionId, tx });
  }

  async #standing(
    hops: Hops | undefined,
    { at, sessionId, tx }: { at: Date; sessionId: string; tx?: Tx },
  ): Promise<Standing> {
    if (hops === undefined) return { hops, personActive: false, inactiveAgentIds: [], lockId: '' };
    const { personId } = hops.mandate.granted;
    const agentIds = agentsOf(hops);
    const agents = await (tx === undefined
      ? this.parties.activeSoon(agentIds)
      : this.parties.agents(agentIds, tx));
    const targets = [
      { kind: LockTargetKind.LOCK_TARGET_KIND_EVERYTHING, id: '' },
      { kind: LockTargetKind.LOCK_TARGET_KIND_PERSON, id: personId },
      { kind: LockTargetKind.LOCK_TARGET_KIND_SESSION, id: sessionId },
      ...agentIds.map((id) => ({ kind: LockTargetKind.LOCK_TARGET_KIND_AGENT, id })),
      ...[...agents.values()].flatMap(({ owner, blueprintId }) => [
        { kind: LockTargetKind.LOCK_TARGET_KIND_OWNER, id: owner },
        { kind: LockTargetKind.LOCK_TARGET_KIND_BLUEPRINT, id: blueprintId },
      ]),
    ];
    return {
      hops,
      personActive: await this.parties.isActivePerson(personId, tx),
      inactiveAgentIds: agentIds.filter((agentId) => agents.get(agentId)?.active !== true),
      lockId: (await this.stops.lockOn(targets, at, tx)) ?? '',
    };
  }
}
