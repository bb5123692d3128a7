import { Injectable } from '@nestjs/common';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import type { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { DelegationView } from '../delegation/delegation.view.js';
import { MandateView } from '../mandate/mandate.view.js';
import { PartyDirectory } from '../party/party.reactions.js';
import { StopView } from '../stop/stop.view.js';
import { agentsOf, type HeldDelegation, type Hops } from './chain.js';
import type { Standing } from './session.js';

const DEPTH_MAX = 8;

/** Looks up the hops of a session, and how everybody in them stands. */
@Injectable()
export class SessionChain {
  constructor(
    private readonly mandates: MandateView,
    private readonly delegations: DelegationView,
    private readonly parties: PartyDirectory,
    private readonly stops: StopView,
  ) {}

  async underMandate(mandateId: string): Promise<Hops | undefined> {
    const mandate = await this.mandates.find(mandateId);
    return mandate && { mandate, delegations: [] };
  }

  /** The hops from the mandate down to a delegation. */
  async underDelegation(delegationId: string): Promise<Hops | undefined> {
    const hops: HeldDelegation[] = [];
    for (let next = delegationId; next !== '' && hops.length <= DEPTH_MAX; ) {
      const hop = await this.delegations.find(next);
      if (hop === undefined) return undefined;
      hops.unshift(hop);
      next = hop.made.parentDelegationId;
    }
    const mandate = await this.mandates.find(hops[0]?.made.mandateId ?? '');
    return mandate && { mandate, delegations: hops };
  }

  async ofSession({ mandateId, delegationIds }: SessionOpened): Promise<Hops | undefined> {
    const last = delegationIds.at(-1);
    return last === undefined ? this.underMandate(mandateId) : this.underDelegation(last);
  }

  /** How everybody in a chain stands at `at`: whoever is unknown does not stand well. */
  async standing(hops: Hops | undefined, at: Date): Promise<Standing> {
    if (hops === undefined) return { hops, personActive: false, inactiveAgentIds: [], lockId: '' };
    const { personId } = hops.mandate.granted;
    const agentIds = agentsOf(hops);
    const agents = await Promise.all(agentIds.map((agentId) => this.parties.agentSoon(agentId)));
    const inactiveAgentIds = agentIds.filter((_, index) => !agents[index]?.active);
    const targets = [
      { kind: LockTargetKind.LOCK_TARGET_KIND_EVERYTHING, id: '' },
      { kind: LockTargetKind.LOCK_TARGET_KIND_PERSON, id: personId },
      ...agentIds.map((id) => ({ kind: LockTargetKind.LOCK_TARGET_KIND_AGENT, id })),
      ...agents.map((agent) => ({ kind: LockTargetKind.LOCK_TARGET_KIND_OWNER, id: agent?.owner ?? '' })),
      ...agents.map((agent) => ({
        kind: LockTargetKind.LOCK_TARGET_KIND_BLUEPRINT,
        id: agent?.blueprintId ?? '',
      })),
    ];
    const lockId = (await this.stops.lockOn(targets, at)) ?? '';
    return { hops, personActive: await this.parties.isActivePerson(personId), inactiveAgentIds, lockId };
  }
}
