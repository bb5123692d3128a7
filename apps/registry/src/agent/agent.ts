import type {
  ConductKind,
  Environment,
  Provenance,
  Sensitivity,
  TrustPoints,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { type Decider, idTimeMs, refusals, unreachable } from '@writ/kernel';
import { type Agent, type AgentEvent, agentStatus, evolve, nobody } from './agent-state.js';
import { TRUST_FUNCTION_VERSION, trustPoints } from './trust-score.js';

/** What the registry knows of a person who is to answer for an agent. */
export interface Sponsor {
  readonly personId: string;
  readonly active: boolean;
  readonly maySponsor: boolean;
}

/** What the registry knows of the blueprint that an agent is to follow. */
export interface Family {
  readonly blueprintId: string;
  readonly active: boolean;
  readonly sensitivityMax: Sensitivity;
}

export interface RegisterAgent {
  readonly type: 'RegisterAgent';
  readonly agentId: string;
  readonly displayName: string;
  readonly builder: string;
  readonly owner: string;
  readonly sponsor: Sponsor;
  readonly family: Family | undefined;
  readonly purpose: string;
  readonly environment: Environment;
  readonly sensitivity: Sensitivity;
  readonly provenance: Provenance;
  readonly keyId: string;
  readonly jwk: string;
}

export type AgentCommand = { readonly at: Date } & (
  | RegisterAgent
  | { type: 'AttestAgent'; agentId: string; personId: string; sponsor: Sponsor }
  | { type: 'ChangeAgentProvenance'; agentId: string; provenance: Provenance }
  | { type: 'ChangeAgentSponsor'; agentId: string; sponsor: Sponsor }
  | { type: 'RotateAgentKey'; agentId: string; keyId: string; jwk: string }
  | { type: 'SuspendAgent'; agentId: string; reason: string }
  | { type: 'ReinstateAgent'; agentId: string }
  | { type: 'OrphanAgent'; agentId: string; personId: string }
  | { type: 'RetireAgent'; agentId: string }
  | { type: 'ScoreAgent'; agentId: string }
  | { type: 'NoteConduct'; agentId: string; kind: ConductKind; evidence: string }
);

export const refuse = refusals({
  AGENT_UNKNOWN: 'not-found',
  AGENT_ALREADY_REGISTERED: 'conflict',
  AGENT_RETIRED: 'precondition',
  AGENT_ORPHANED: 'precondition',
  SPONSOR_UNKNOWN: 'precondition',
  SPONSOR_ROLE_MISSING: 'precondition',
  NOT_THE_SPONSOR: 'forbidden',
  BLUEPRINT_RETIRED: 'precondition',
  BLUEPRINT_SENSITIVITY: 'precondition',
});

function requireSponsor({ personId, active, maySponsor }: Sponsor): void {
  if (!active) throw refuse('SPONSOR_UNKNOWN', `\`${personId}\` is no active person; name one who is`);
  if (!maySponsor) {
    throw refuse(
      'SPONSOR_ROLE_MISSING',
      `\`${personId}\` is no sponsor; give the role first or name another`,
    );
  }
}

function register(command: RegisterAgent): readonly AgentEvent[] {
  const { family, sponsor, sensitivity } = command;
  requireSponsor(sponsor);
  if (family !== undefined && !family.active) {
    throw refuse('BLUEPRINT_RETIRED', `blueprint \`${family.blueprintId}\` is retired; choose another`);
  }
  if (family !== undefined && sensitivity > family.sensitivityMax) {
    throw refuse(
      'BLUEPRINT_SENSITIVITY',
      `blueprint \`${family.blueprintId}\` allows less sensitive data only`,
    );
  }
  const { agentId, displayName, builder, owner, purpose, environment, provenance, keyId, jwk } = command;
  const data = {
    agentId,
    displayName,
    builder,
    owner,
    purpose,
    environment,
    sensitivity,
    provenance,
    keyId,
    jwk,
  };
  return [
    {
      type: 'AgentRegistered',
      data: { ...data, sponsorId: sponsor.personId, blueprintId: family?.blueprintId ?? '' },
    },
  ];
}

function attest(agentId: string, personId: string, sponsor: Sponsor, agent: Agent): readonly AgentEvent[] {
  if (agent.orphaned)
    throw refuse('AGENT_ORPHANED', `agent \`${agentId}\` has no sponsor; give it one first`);
  if (personId !== agent.sponsorId) {
    throw refuse('NOT_THE_SPONSOR', `only \`${agent.sponsorId}\`, its sponsor, attests agent \`${agentId}\``);
  }
  requireSponsor(sponsor);
  if (agent.attested) return [];
  return [{ type: 'AgentAttested', data: { agentId, sponsorId: personId, provenance: agent.provenance } }];
}

function sameProvenance(a: Provenance, b: Provenance): boolean {
  return (
    a.modelDigest === b.modelDigest &&
    a.systemPromptDigest === b.systemPromptDigest &&
    a.toolsDigest === b.toolsDigest &&
    a.imageDigest === b.imageDigest
  );
}

function follow(command: AgentCommand, agent: Agent): readonly AgentEvent[] {
  const { agentId } = command;
  switch (command.type) {
    case 'RegisterAgent':
      throw refuse('AGENT_ALREADY_REGISTERED', `agent \`${agentId}\` is already registered`);
    case 'AttestAgent':
      return attest(agentId, command.personId, command.sponsor, agent);
    case 'ChangeAgentProvenance':
      if (sameProvenance(agent.provenance, command.provenance)) return [];
      return [{ type: 'AgentProvenanceChanged', data: { agentId, provenance: command.provenance } }];
    case 'ChangeAgentSponsor':
      requireSponsor(command.sponsor);
      if (command.sponsor.personId === agent.sponsorId && !agent.orphaned) return [];
      return [{ type: 'AgentSponsorChanged', data: { agentId, sponsorId: command.sponsor.personId } }];
    case 'RotateAgentKey':
      if (command.keyId === agent.keyId) return [];
      return [{ type: 'AgentKeyRotated', data: { agentId, keyId: command.keyId, jwk: command.jwk } }];
    case 'SuspendAgent':
      return agent.suspended ? [] : [{ type: 'AgentSuspended', data: { agentId, reason: command.reason } }];
    case 'ReinstateAgent':
      return agent.suspended ? [{ type: 'AgentReinstated', data: { agentId } }] : [];
    case 'OrphanAgent':
      if (agent.orphaned || agent.sponsorId !== command.personId) return [];
      return [{ type: 'AgentOrphaned', data: { agentId, sponsorId: command.personId } }];
    case 'RetireAgent':
      return [{ type: 'AgentRetired', data: { agentId } }];
    case 'ScoreAgent':
      return [];
    case 'NoteConduct':
      if (agent.evidence.includes(command.evidence)) return [];
      return [
        { type: 'AgentConductNoted', data: { agentId, kind: command.kind, evidence: command.evidence } },
      ];
    default:
      return unreachable(command);
  }
}

/** Whether each component has the same points; the days in an explanation pass without changing any. */
function samePoints(a: readonly TrustPoints[], b: readonly TrustPoints[]): boolean {
  const worth = (all: readonly TrustPoints[]) => all.map(({ component, points }) => `${component} ${points}`);
  return worth(a).join() === worth(b).join();
}

/** The score as of `at`, when any of its parts differs from what is recorded. */
function rescore(agentId: string, agent: Agent, at: Date): readonly AgentEvent[] {
  if (agent.registration === undefined || agent.retired) return [];
  const { environment, sensitivity } = agent.registration;
  const points = trustPoints({
    environment,
    sensitivity,
    provenance: agent.provenance,
    registeredAtMs: idTimeMs(agentId),
    scoredAtMs: at.getTime(),
    suspensions: agent.suspensions,
    locks: agent.locks,
    provenanceChanges: agent.provenanceChanges,
  });
  if (agent.trust?.functionVersion === TRUST_FUNCTION_VERSION && samePoints(agent.trust.points, points)) {
    return [];
  }
  const score = points.reduce((sum, component) => sum + component.points, 0);
  const data = { agentId, score, functionVersion: TRUST_FUNCTION_VERSION, points: [...points] };
  return [{ type: 'AgentTrustScored', data }];
}

function decide(command: AgentCommand, agent: Agent): readonly AgentEvent[] {
  const { agentId, at } = command;
  const status = agentStatus(agent);
  if (status === 'unknown' && command.type !== 'RegisterAgent') {
    throw refuse('AGENT_UNKNOWN', `no agent \`${agentId}\`; register it first`);
  }
  if (status === 'retired') {
    if (command.type === 'RetireAgent' || command.type === 'OrphanAgent' || command.type === 'NoteConduct')
      return [];
    throw refuse('AGENT_RETIRED', `agent \`${agentId}\` is retired for good`);
  }
  const facts =
    command.type === 'RegisterAgent' && status === 'unknown' ? register(command) : follow(command, agent);
  return [...facts, ...rescore(agentId, facts.reduce(evolve, agent), at)];
}

export const agentDecider: Decider<Agent, AgentCommand, AgentEvent> = {
  initialState: () => nobody,
  decide,
  evolve,
};
