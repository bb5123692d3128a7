import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ApprovalGranted,
  ApprovalRequested,
  ApprovalUsed,
  ApprovalVoted,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { AgentAttested, AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { AuditHouse, type LedgerClient, until } from './audit-house.js';

const id = (kind: string, name: string) => `${kind}_01K41M7JG00000000000000${name}`;
const [ana, ben, sam] = [id('psn', 'ANA'), id('psn', 'BEN'), id('psn', 'SAM')];
const [main, sub] = [id('agt', 'MAN'), id('agt', 'SVB')];
const [mandateId, delegationId, sessionId] = [id('mdt', '001'), id('dlg', '001'), id('ses', '001')];
const [asked, paid, lonely] = [id('dec', '001'), id('dec', '002'), id('dec', '003')];
const approvalId = id('apr', '001');
/** Of the agent at the root, by a sponsor who answers no longer; more than one page of the ledger. */
const earlierAttestations = 201;

let house: AuditHouse;
let client: LedgerClient;

beforeAll(async () => {
  house = await AuditHouse.open();
  client = await house.client(await house.start());
  await recordRegistry();
  await recordAuthority();
  await recordDecisions();
  for (const source of house.sources.values()) source.relay.start();
  await until(async () => (await house.size()) === 18 + earlierAttestations, 'every entry');
});

afterAll(() => house.close());

async function recordRegistry(): Promise<void> {
  const registry = await house.source('registry');
  for (const personId of [ana, ben, sam]) {
    const person = PersonRegistered.fromPartial({ personId });
    await registry.record(
      { type: 'PersonRegistered', codec: PersonRegistered },
      `person-${personId}`,
      person,
    );
  }
  for (const agentId of [main, sub]) {
    const agent = AgentRegistered.fromPartial({
      agentId,
      displayName: agentId === main ? 'payer' : 'rates',
      owner: 'finance',
    });
    await registry.record({ type: 'AgentRegistered', codec: AgentRegistered }, `agent-${agentId}`, agent);
    const sponsors = [...(agentId === main ? Array(earlierAttestations).fill(ben) : []), sam];
    for (const sponsorId of sponsors) {
      const attested = AgentAttested.fromPartial({ agentId, sponsorId });
      await registry.record({ type: 'AgentAttested', codec: AgentAttested }, `agent-${agentId}`, attested);
    }
  }
}

async function recordAuthority(): Promise<void> {
  const broker = await house.source('session-broker');
  const mandate = MandateGranted.fromPartial({
    mandateId,
    personId: ana,
    agentId: main,
    purpose: 'supplier run',
  });
  await broker.record({ type: 'MandateGranted', codec: MandateGranted }, `mandate-${mandateId}`, mandate);
  const hop = { delegationId, mandateId, depth: 1, delegatorAgentId: main, delegateAgentId: sub };
  const made = { type: 'DelegationMade', codec: DelegationMade };
  await broker.record(made, `delegation-${delegationId}`, DelegationMade.fromPartial(hop));
  const session = {
    sessionId,
    agentId: sub,
    mandateId,
    delegationIds: [delegationId],
    personId: ana,
    task: 'run 7',
  };
  const opened = { type: 'SessionOpened', codec: SessionOpened };
  await broker.record(opened, `session-${sessionId}`, SessionOpened.fromPartial(session));
}

async function recordDecisions(): Promise<void> {
  const policy = await house.source('policy-engine');
  const made = { type: 'DecisionMade', codec: DecisionMade };
  const action = { type: 'payment', name: 'pay', identifier: 'invoice-7' };
  const chain = { sessionId, agentId: sub, personId: ana, mandateId, delegationIds: [delegationId], action };
  const decide = (decisionId: string, over: object) =>
    policy.record(
      made,
      `decision-${decisionId}`,
      DecisionMade.fromPartial({ ...chain, decisionId, ...over }),
    );
  await decide(asked, { outcome: Outcome.OUTCOME_APPROVAL_NEEDED });
  await decide(paid, { outcome: Outcome.OUTCOME_ALLOW, approvalId });
  await decide(lonely, {
    outcome: Outcome.OUTCOME_DENY,
    sessionId: id('ses', '0XX'),
    delegationIds: [id('dlg', '0XX')],
  });
  const approvals = await house.source('approvals');
  const stream = `approval-${approvalId}`;
  const request = ApprovalRequested.fromPartial({
    approvalId,
    decisionId: asked,
    sessionId,
    agentId: sub,
    quorum: 1,
  });
  await approvals.record({ type: 'ApprovalRequested', codec: ApprovalRequested }, stream, request);
  const vote = ApprovalVoted.fromPartial({ approvalId, personId: ben, approve: true });
  await approvals.record({ type: 'ApprovalVoted', codec: ApprovalVoted }, stream, vote);
  const grant = ApprovalGranted.fromPartial({ approvalId, decisionId: asked, approverIds: [ben] });
  await approvals.record({ type: 'ApprovalGranted', codec: ApprovalGranted }, stream, grant);
  const used = ApprovalUsed.fromPartial({ approvalId, decisionId: paid });
  await approvals.record({ type: 'ApprovalUsed', codec: ApprovalUsed }, stream, used);
}

describe('who answers for a payment', () => {
  it('is answered in one call, from the decision to the person, each step with its entry', async () => {
    const { steps, personId, missing } = await client.traceDecision({ decisionId: paid });
    expect(steps.map((step) => [step.kind, step.id])).toEqual([
      ['decision', paid],
      ['approval', approvalId],
      ['approval', approvalId],
      ['approval', approvalId],
      ['session', sessionId],
      ['agent', sub],
      ['attestation', sub],
      ['delegation', delegationId],
      ['agent', main],
      ['attestation', main],
      ['mandate', mandateId],
      ['person', ana],
    ]);
    expect(personId).toBe(ana);
    expect(missing).toEqual([]);
    const answering = steps.filter(({ kind }) => kind === 'attestation').map(({ summary }) => summary);
    expect(answering).toEqual([`${sam} answers for the agent`, `${sam} answers for the agent`]);
    for (const step of steps) {
      const entry = await client.getEntry({ index: step.index, position: undefined });
      expect(entry.subjectIds).toContain(step.id);
      expect(entry).toMatchObject({ at: step.at, actor: step.actor });
    }
  });

  it('shows for the decision that asked what the approval was', async () => {
    const { steps, missing } = await client.traceDecision({ decisionId: asked });
    expect(steps.filter(({ kind }) => kind === 'approval').map(({ summary }) => summary)).toEqual([
      'approval asked for, quorum 1',
      `${ben} said yes`,
      `granted by ${ben}`,
    ]);
    expect(missing).toEqual([]);
  });

  it('is still answered when a step is not in the ledger, and the step is named', async () => {
    const { personId, missing } = await client.traceDecision({ decisionId: lonely });
    expect(missing).toEqual([`session ${id('ses', '0XX')}`, `delegation ${id('dlg', '0XX')}`]);
    expect(personId).toBe(ana);
  });
});
