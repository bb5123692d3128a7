import { Injectable } from '@nestjs/common';
import type { DecisionMade } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type FactData, type FactType, openFact } from '../entry/entry.facts.js';
import { EntryView } from '../entry/entry.view.js';
import type { Found, TraceSource } from './trace.js';

/** How many facts are read at a time; one noun has few, but an agent may be attested at every deployment. */
const PAGE_FACTS = 200;

/** Finds in the ledger what `traceDecision` asks for. */
@Injectable()
export class TraceView implements TraceSource {
  constructor(private readonly entries: EntryView) {}

  decision(decisionId: string) {
    return this.one('writ.policy.v1.DecisionMade', decisionId, (fact) => fact.decisionId === decisionId);
  }

  async approvals({ decisionId, approvalId }: DecisionMade) {
    const type = 'writ.approval.v1.ApprovalRequested';
    const ledTo = await this.all(type, decisionId, (fact) => fact.decisionId === decisionId);
    if (approvalId === '' || ledTo.some(({ fact }) => fact.approvalId === approvalId)) return ledTo;
    return [...(await this.all(type, approvalId, (fact) => fact.approvalId === approvalId)), ...ledTo];
  }

  votes(approvalId: string) {
    return this.all('writ.approval.v1.ApprovalVoted', approvalId, (fact) => fact.approvalId === approvalId);
  }

  grant(approvalId: string) {
    return this.one('writ.approval.v1.ApprovalGranted', approvalId, (fact) => fact.approvalId === approvalId);
  }

  session(sessionId: string) {
    return this.one('writ.session.v1.SessionOpened', sessionId, (fact) => fact.sessionId === sessionId);
  }

  delegation(delegationId: string) {
    const type = 'writ.session.v1.DelegationMade';
    return this.one(type, delegationId, (fact) => fact.delegationId === delegationId);
  }

  mandate(mandateId: string) {
    return this.one('writ.session.v1.MandateGranted', mandateId, (fact) => fact.mandateId === mandateId);
  }

  agent(agentId: string) {
    return this.one('writ.registry.v1.AgentRegistered', agentId, (fact) => fact.agentId === agentId);
  }

  async attestation(agentId: string, at: Date) {
    const type = 'writ.registry.v1.AgentAttested';
    // By time: facts of two services are entered side by side, so their indexes say little about what came
    // first.
    const attested = await this.all(type, agentId, (fact) => fact.agentId === agentId);
    return attested.findLast((attestation) => attestation.at <= at);
  }

  person(personId: string) {
    return this.one('writ.registry.v1.PersonRegistered', personId, (fact) => fact.personId === personId);
  }

  private async one<T extends FactType>(type: T, subjectId: string, fits: (fact: FactData<T>) => boolean) {
    return (await this.all(type, subjectId, fits))[0];
  }

  private async all<T extends FactType>(
    type: T,
    subjectId: string,
    fits: (fact: FactData<T>) => boolean,
  ): Promise<Found<FactData<T>>[]> {
    const found: Found<FactData<T>>[] = [];
    for (let from = 0, more = true; more; ) {
      const page = await this.entries.list({ type, subjectId }, { from, limit: PAGE_FACTS });
      for (const { index, atMs, actor, payload } of page.rows) {
        const opened = payload && openFact(type, payload);
        const fact = opened?.data as FactData<T> | undefined;
        if (fact !== undefined && fits(fact)) found.push({ index, at: new Date(atMs), actor, fact });
        from = index + 1;
      }
      more = page.more;
    }
    return found;
  }
}
