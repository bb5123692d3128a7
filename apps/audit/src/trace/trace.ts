import type {
  ApprovalGranted,
  ApprovalRequested,
  ApprovalVoted,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import type { DecisionMade } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { AgentAttested, AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import type { PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import type { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import type { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';

/** A fact and where it stands in the ledger. */
export interface Found<T> {
  readonly index: number;
  readonly at: Date;
  readonly actor: string;
  readonly fact: T;
}

/** Finds facts in the ledger; undefined or nothing when they are not there. */
export interface TraceSource {
  decision(decisionId: string): Promise<Found<DecisionMade> | undefined>;
  /** Requests that this decision led to, or that it rests on. */
  approvals(decision: DecisionMade): Promise<readonly Found<ApprovalRequested>[]>;
  votes(approvalId: string): Promise<readonly Found<ApprovalVoted>[]>;
  grant(approvalId: string): Promise<Found<ApprovalGranted> | undefined>;
  session(sessionId: string): Promise<Found<SessionOpened> | undefined>;
  delegation(delegationId: string): Promise<Found<DelegationMade> | undefined>;
  mandate(mandateId: string): Promise<Found<MandateGranted> | undefined>;
  agent(agentId: string): Promise<Found<AgentRegistered> | undefined>;
  /** The last one made at `at` or before. */
  attestation(agentId: string, at: Date): Promise<Found<AgentAttested> | undefined>;
  person(personId: string): Promise<Found<PersonRegistered> | undefined>;
}

export type StepKind =
  | 'decision'
  | 'approval'
  | 'session'
  | 'delegation'
  | 'mandate'
  | 'person'
  | 'agent'
  | 'attestation';

export interface Step {
  readonly kind: StepKind;
  readonly id: string;
  readonly summary: string;
  readonly index: number;
  readonly at: Date;
  readonly actor: string;
}

export interface Trace {
  readonly steps: readonly Step[];
  /** Who answers for it; empty when the ledger does not say. */
  readonly personId: string;
  /** `delegation dlg_…`: should be in the ledger and is not. */
  readonly missing: readonly string[];
}

/** Longer chains are not made; a circle of parents in a forged ledger must end. */
const HOPS_MAX = 64;

/**
 * Who answers for a decision: from the decision through its approvals, its session and every hop of
 * delegation to the mandate and the person who gave it, with each agent on the way and its sponsor's
 * attestation. Every link is read from the fact that recorded it; what the decision says of the chain is only
 * used where no such fact is left.
 *
 * @returns undefined when there is no such decision
 */
export async function traceDecision(decisionId: string, ledger: TraceSource): Promise<Trace | undefined> {
  const decision = await ledger.decision(decisionId);
  if (decision === undefined) return undefined;
  const walk = new Walk(ledger, decision.at);
  walk.took('decision', decisionId, decision, decisionSummary(decision.fact));
  await walk.approvals(decision.fact);
  const session = await walk.session(decision.fact.sessionId);
  await walk.agent(session?.agentId ?? decision.fact.agentId);
  const hops = session?.delegationIds ?? decision.fact.delegationIds;
  const above = await walk.delegations(hops.at(-1) ?? '');
  const mandateId = above ?? session?.mandateId ?? decision.fact.mandateId;
  const mandate = await walk.mandate(mandateId);
  const personId = mandate?.personId ?? session?.personId ?? decision.fact.personId;
  await walk.person(personId);
  return { steps: walk.steps, personId, missing: walk.missing };
}

class Walk {
  readonly steps: Step[] = [];
  readonly missing: string[] = [];
  private readonly agents = new Set<string>();

  constructor(
    private readonly ledger: TraceSource,
    private readonly decidedAt: Date,
  ) {}

  took(kind: StepKind, id: string, { index, at, actor }: Found<unknown>, summary: string): void {
    this.steps.push({ kind, id, summary, index, at, actor });
  }

  /** What is expected by this id is not in the ledger; without an id nothing was expected. */
  private lacks(kind: StepKind, id: string): undefined {
    if (id !== '') this.missing.push(`${kind} ${id}`);
  }

  async approvals(decision: DecisionMade): Promise<void> {
    const requests = await this.ledger.approvals(decision);
    for (const request of requests) {
      const { approvalId, quorum } = request.fact;
      this.took('approval', approvalId, request, `approval asked for, quorum ${quorum}`);
      for (const vote of await this.ledger.votes(approvalId))
        this.took('approval', approvalId, vote, voteSummary(vote.fact));
      const grant = await this.ledger.grant(approvalId);
      if (grant) this.took('approval', approvalId, grant, `granted by ${grant.fact.approverIds.join(', ')}`);
      else if (approvalId === decision.approvalId) this.lacks('approval', `${approvalId} (grant)`);
    }
    if (decision.approvalId !== '' && !requests.some(({ fact }) => fact.approvalId === decision.approvalId))
      this.lacks('approval', decision.approvalId);
  }

  async session(sessionId: string): Promise<SessionOpened | undefined> {
    const session = sessionId === '' ? undefined : await this.ledger.session(sessionId);
    if (session === undefined) return this.lacks('session', sessionId);
    const { agentId, task, purpose } = session.fact;
    this.took('session', sessionId, session, `${agentId} worked on ${quoted(task)} for ${quoted(purpose)}`);
    return session.fact;
  }

  /** From the lowest hop up; answers the mandate the highest one hangs below. */
  async delegations(lowestId: string): Promise<string | undefined> {
    let mandateId: string | undefined;
    let next = lowestId;
    for (let hop = 0; next !== '' && hop < HOPS_MAX; hop += 1) {
      const made = await this.ledger.delegation(next);
      if (made === undefined) {
        this.lacks('delegation', next);
        break;
      }
      const { delegatorAgentId, delegateAgentId, purpose, depth, parentDelegationId } = made.fact;
      const summary = `${delegatorAgentId} let ${delegateAgentId} act for ${quoted(purpose)}, hop ${depth}`;
      this.took('delegation', next, made, summary);
      await this.agent(delegatorAgentId);
      mandateId = made.fact.mandateId;
      next = parentDelegationId;
    }
    return mandateId;
  }

  async mandate(mandateId: string): Promise<MandateGranted | undefined> {
    const mandate = mandateId === '' ? undefined : await this.ledger.mandate(mandateId);
    if (mandate === undefined) return this.lacks('mandate', mandateId);
    const { personId, agentId, purpose } = mandate.fact;
    this.took('mandate', mandateId, mandate, `${personId} allowed ${agentId} ${quoted(purpose)}`);
    await this.agent(agentId);
    return mandate.fact;
  }

  async person(personId: string): Promise<void> {
    const person = personId === '' ? undefined : await this.ledger.person(personId);
    if (person === undefined) return this.lacks('person', personId);
    this.took('person', personId, person, 'answers for it');
  }

  async agent(agentId: string): Promise<void> {
    if (agentId === '' || this.agents.has(agentId)) return;
    this.agents.add(agentId);
    const agent = await this.ledger.agent(agentId);
    if (agent === undefined) this.lacks('agent', agentId);
    else this.took('agent', agentId, agent, `${quoted(agent.fact.displayName)}, run by ${agent.fact.owner}`);
    const attestation = await this.ledger.attestation(agentId, this.decidedAt);
    if (attestation === undefined) return this.lacks('attestation', agentId);
    this.took('attestation', agentId, attestation, `${attestation.fact.sponsorId} answers for the agent`);
  }
}

const outcomes = ['undecided', 'allowed', 'denied', 'needed approval'];

function decisionSummary({ outcome, reasonCode, action }: DecisionMade): string {
  const asked =
    action === undefined ? 'an action' : `${action.type} ${action.name} ${action.identifier}`.trim();
  const amount = action?.amount && ` ${action.amount.value} ${action.amount.currencyCode}`;
  const why = reasonCode === '' ? '' : ` (${reasonCode})`;
  return `${asked}${amount ?? ''}: ${outcomes[outcome] ?? 'undecided'}${why}`;
}

function voteSummary({ personId, approve, reason }: ApprovalVoted): string {
  return `${personId} said ${approve ? 'yes' : 'no'}${reason === '' ? '' : `: ${reason}`}`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
