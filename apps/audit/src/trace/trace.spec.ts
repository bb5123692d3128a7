import { describe, expect, it } from '@jest/globals';
import {
  ApprovalGranted,
  ApprovalRequested,
  ApprovalVoted,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { AgentAttested, AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { type Found, type TraceSource, traceDecision } from './trace.js';

/** Facts of a ledger by their kind; `without` takes one out of it. */
const ledger = {
  decision: DecisionMade.fromPartial({
    decisionId: 'dec_1',
    outcome: Outcome.OUTCOME_ALLOW,
    sessionId: 'ses_1',
    agentId: 'agt_sub',
    personId: 'psn_ana',
    mandateId: 'mdt_1',
    delegationIds: ['dlg_1', 'dlg_2'],
    approvalId: 'apr_1',
    action: {
      type: 'payment',
      name: 'pay',
      identifier: 'invoice-7',
      amount: { value: '4000', currencyCode: 'EUR' },
    },
  }),
  approval: ApprovalRequested.fromPartial({ approvalId: 'apr_1', decisionId: 'dec_0', quorum: 1 }),
  vote: ApprovalVoted.fromPartial({ approvalId: 'apr_1', personId: 'psn_ben', approve: true }),
  grant: ApprovalGranted.fromPartial({ approvalId: 'apr_1', approverIds: ['psn_ben'] }),
  session: SessionOpened.fromPartial({
    sessionId: 'ses_1',
    agentId: 'agt_sub',
    mandateId: 'mdt_1',
    delegationIds: ['dlg_1', 'dlg_2'],
    personId: 'psn_ana',
    task: 'pay',
  }),
  dlg_1: DelegationMade.fromPartial({
    delegationId: 'dlg_1',
    mandateId: 'mdt_1',
    depth: 1,
    delegatorAgentId: 'agt_main',
    delegateAgentId: 'agt_mid',
  }),
  dlg_2: DelegationMade.fromPartial({
    delegationId: 'dlg_2',
    parentDelegationId: 'dlg_1',
    mandateId: 'mdt_1',
    depth: 2,
    delegatorAgentId: 'agt_mid',
    delegateAgentId: 'agt_sub',
  }),
  mandate: MandateGranted.fromPartial({ mandateId: 'mdt_1', personId: 'psn_ana', agentId: 'agt_main' }),
  agent: AgentRegistered.fromPartial({ displayName: 'an agent', owner: 'finance' }),
  attestation: AgentAttested.fromPartial({ sponsorId: 'psn_sam' }),
  person: PersonRegistered.fromPartial({ personId: 'psn_ana' }),
};

function found<T>(fact: T | undefined): Found<T> | undefined {
  return fact && { index: 7, at: new Date(0), actor: 'psn_ana', fact };
}

function sourceOf(facts: Partial<typeof ledger>): TraceSource {
  const { decision, approval, vote, grant, session, mandate, agent, attestation, person } = facts;
  const present = <T>(one: Found<T> | undefined) => (one ? [one] : []);
  return {
    decision: async (id) => found(id === 'dec_1' ? decision : undefined),
    approvals: async () => present(found(approval)),
    votes: async () => present(found(vote)),
    grant: async () => found(grant),
    session: async () => found(session),
    delegation: async (id) => found(id === 'dlg_1' || id === 'dlg_2' ? facts[id] : undefined),
    mandate: async (id) => found(id === 'mdt_1' ? mandate : undefined),
    agent: async (id) => found(agent && { ...agent, agentId: id }),
    attestation: async () => found(attestation),
    person: async (id) => found(person?.personId === id ? person : undefined),
  };
}

const trace = async (facts: Partial<typeof ledger>) => {
  const answer = await traceDecision('dec_1', sourceOf(facts));
  return {
    steps: answer?.steps.map(({ kind, id }) => `${kind} ${id}`),
    personId: answer?.personId,
    missing: answer?.missing,
    summaries: answer?.steps.map(({ summary }) => summary),
  };
};

describe('who answers for a decision', () => {
  it('is found from the decision through every hop to the person', async () => {
    const { steps, personId, missing, summaries } = await trace(ledger);
    expect(steps).toEqual([
      'decision dec_1',
      'approval apr_1',
      'approval apr_1',
      'approval apr_1',
      'session ses_1',
      'agent agt_sub',
      'attestation agt_sub',
      'delegation dlg_2',
      'agent agt_mid',
      'attestation agt_mid',
      'delegation dlg_1',
      'agent agt_main',
      'attestation agt_main',
      'mandate mdt_1',
      'person psn_ana',
    ]);
    expect(personId).toBe('psn_ana');
    expect(missing).toEqual([]);
    expect(summaries?.[0]).toBe('payment pay invoice-7 4000 EUR: allowed');
    expect(summaries?.[2]).toBe('psn_ben said yes');
  });

  it('is found without a delegation, when the agent worked under the mandate itself', async () => {
    const decision = { ...ledger.decision, delegationIds: [], approvalId: '' };
    const session = { ...ledger.session, delegationIds: [] };
    const { steps, missing } = await trace({ ...ledger, decision, session, approval: undefined });
    expect(steps?.map((step) => step.split(' ')[0])).toEqual([
      'decision',
      'session',
      'agent',
      'attestation',
      'mandate',
      'agent',
      'attestation',
      'person',
    ]);
    expect(missing).toEqual([]);
  });

  it.each([
    ['approval', 'approval apr_1'],
    ['grant', 'approval apr_1 (grant)'],
    ['session', 'session ses_1'],
    ['dlg_1', 'delegation dlg_1'],
    ['dlg_2', 'delegation dlg_2'],
    ['mandate', 'mandate mdt_1'],
    ['person', 'person psn_ana'],
    ['agent', 'agent agt_sub'],
    ['attestation', 'attestation agt_sub'],
  ] as const)('is still answered when the %s is not in the ledger, and that is said', async (part, name) => {
    const { missing, personId } = await trace({ ...ledger, [part]: undefined });
    expect(missing).toContain(name);
    expect(personId).toBe('psn_ana');
  });

  it('is read from the mandate, not from what the decision claims', async () => {
    const decision = { ...ledger.decision, personId: 'psn_nobody' };
    const session = { ...ledger.session, personId: 'psn_nobody' };
    expect((await trace({ ...ledger, decision, session })).personId).toBe('psn_ana');
  });

  it('ends in a ledger where delegations go in a circle', async () => {
    const dlg_1 = { ...ledger.dlg_1, parentDelegationId: 'dlg_2' };
    expect((await trace({ ...ledger, dlg_1 })).personId).toBe('psn_ana');
  });

  it('is not known for a decision that is not there', async () => {
    expect(await traceDecision('dec_2', sourceOf(ledger))).toBeUndefined();
  });
});
