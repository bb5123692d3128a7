import { describe, expect, it } from '@jest/globals';
import { ConductKind, Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type AgentCommand, agentDecider, type Sponsor } from './agent.js';
import { type AgentEvent, agentStatus } from './agent-state.js';
import { TRUST_FUNCTION_VERSION } from './trust-score.js';

const agentId = 'agt_01JDKF0000000000000000000A';
const sponsorId = 'psn_01JDKF0000000000000000000S';
// The ULID above says 2024-11-26T10:35:56.224Z; the same day, so age gives no points.
const at = new Date('2024-11-26T12:00:00Z');
const sponsor: Sponsor = { personId: sponsorId, active: true, maySponsor: true };
const provenance = {
  modelDigest: 'sha-256:m',
  systemPromptDigest: 'sha-256:p',
  toolsDigest: 'sha-256:t',
  imageDigest: '',
};
const described = {
  agentId,
  displayName: 'invoice-agent',
  builder: 'finance-engineering',
  owner: 'finance',
  purpose: 'pay supplier invoices',
  environment: Environment.ENVIRONMENT_PRODUCTION,
  sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
  provenance,
  keyId: 'k1',
  jwk: '{}',
};
const register: AgentCommand = { type: 'RegisterAgent', at, ...described, sponsor, family: undefined };
const registered: AgentEvent = {
  type: 'AgentRegistered',
  data: { ...described, sponsorId, blueprintId: '' },
};
const attested: AgentEvent = { type: 'AgentAttested', data: { agentId, sponsorId, provenance } };
const suspended: AgentEvent = { type: 'AgentSuspended', data: { agentId, reason: 'odd' } };
const retired: AgentEvent = { type: 'AgentRetired', data: { agentId } };
const orphaned: AgentEvent = { type: 'AgentOrphaned', data: { agentId, sponsorId } };
const attest: AgentCommand = { type: 'AttestAgent', at, agentId, personId: sponsorId, sponsor };

const given = givenFor(agentDecider);

const scored = (...past: AgentEvent[]): AgentEvent => {
  const state = past.reduce(agentDecider.evolve, agentDecider.initialState());
  const fact = agentDecider.decide({ type: 'ScoreAgent', at, agentId }, state)[0];
  if (fact === undefined) throw new Error('the score did not change');
  return fact;
};
const stateOf = (...past: AgentEvent[]) => past.reduce(agentDecider.evolve, agentDecider.initialState());

describe('an agent', () => {
  it('is registered with a first trust score', () =>
    given().when(register).then(registered, scored(registered)));
  it('cannot be registered twice', () =>
    given(registered).when(register).thenRefused('AGENT_ALREADY_REGISTERED'));
  it('needs a sponsor who is there', () =>
    given()
      .when({ ...register, sponsor: { ...sponsor, active: false } } as AgentCommand)
      .thenRefused('SPONSOR_UNKNOWN'));
  it('needs a sponsor who has that role', () =>
    given()
      .when({ ...register, sponsor: { ...sponsor, maySponsor: false } } as AgentCommand)
      .thenRefused('SPONSOR_ROLE_MISSING'));
  it('cannot follow a retired blueprint', () =>
    given()
      .when({
        ...register,
        family: { blueprintId: 'bpr_x', active: false, sensitivityMax: Sensitivity.SENSITIVITY_RESTRICTED },
      } as AgentCommand)
      .thenRefused('BLUEPRINT_RETIRED'));
  it('cannot touch more sensitive data than its blueprint allows', () =>
    given()
      .when({
        ...register,
        family: { blueprintId: 'bpr_x', active: true, sensitivityMax: Sensitivity.SENSITIVITY_INTERNAL },
      } as AgentCommand)
      .thenRefused('BLUEPRINT_SENSITIVITY'));

  it('may not act before its sponsor has attested it', () =>
    expect(agentStatus(stateOf(registered))).toBe('awaiting-attestation'));
  it('may act once its sponsor has attested it', () =>
    expect(agentStatus(stateOf(registered, attested))).toBe('active'));
  it('is attested by its sponsor', () => given(registered, scored(registered)).when(attest).then(attested));
  it('is attested by nobody else', () =>
    given(registered)
      .when({ ...attest, personId: 'psn_01JDKF0000000000000000000X' } as AgentCommand)
      .thenRefused('NOT_THE_SPONSOR'));
  it('is attested once', () => given(registered, scored(registered), attested).when(attest).thenNothing());

  it('needs attestation again when its provenance changes, and loses trust for it', () => {
    const changed: AgentEvent = {
      type: 'AgentProvenanceChanged',
      data: { agentId, provenance: { ...provenance, modelDigest: 'sha-256:other' } },
    };
    given(registered, scored(registered), attested)
      .when({
        type: 'ChangeAgentProvenance',
        at,
        agentId,
        provenance: { ...provenance, modelDigest: 'sha-256:other' },
      })
      .then(changed, scored(registered, attested, changed));
    expect(agentStatus(stateOf(registered, attested, changed))).toBe('awaiting-attestation');
  });
  it('stays attested when told the provenance it has', () =>
    given(registered, scored(registered), attested)
      .when({ type: 'ChangeAgentProvenance', at, agentId, provenance })
      .thenNothing());

  it('can be suspended, and loses trust for it', () =>
    given(registered, scored(registered), attested)
      .when({ type: 'SuspendAgent', at, agentId, reason: 'odd' })
      .then(suspended, scored(registered, attested, suspended)));
  it('stays suspended when suspended twice', () =>
    given(registered, attested, suspended, scored(registered, attested, suspended))
      .when({ type: 'SuspendAgent', at, agentId, reason: 'again' })
      .thenNothing());
  it('cannot be suspended before it is registered', () =>
    given().when({ type: 'SuspendAgent', at, agentId, reason: 'odd' }).thenRefused('AGENT_UNKNOWN'));
  it('comes back attested when reinstated', () =>
    expect(
      agentStatus(stateOf(registered, attested, suspended, { type: 'AgentReinstated', data: { agentId } })),
    ).toBe('active'));

  it('is stopped when its sponsor leaves', () => {
    given(registered, scored(registered), attested)
      .when({ type: 'OrphanAgent', at, agentId, personId: sponsorId })
      .then(orphaned);
    expect(agentStatus(stateOf(registered, attested, orphaned))).toBe('orphaned');
  });
  it('is not orphaned by anybody else leaving', () =>
    given(registered, scored(registered))
      .when({ type: 'OrphanAgent', at, agentId, personId: 'psn_01JDKF0000000000000000000X' })
      .thenNothing());
  it('needs the attestation of its new sponsor', () => {
    const adopted: AgentEvent = { type: 'AgentSponsorChanged', data: { agentId, sponsorId: 'psn_new' } };
    expect(agentStatus(stateOf(registered, attested, orphaned, adopted))).toBe('awaiting-attestation');
    given(registered, attested, orphaned, adopted).when(attest).thenRefused('NOT_THE_SPONSOR');
  });
  it('cannot be attested while nobody sponsors it', () =>
    given(registered, attested, orphaned).when(attest).thenRefused('AGENT_ORPHANED'));

  it('loses trust for a lock, once for each', () => {
    const kind = ConductKind.CONDUCT_KIND_LOCKED;
    const noted: AgentEvent = {
      type: 'AgentConductNoted',
      data: { agentId, kind, evidence: 'fact:session-broker/7' },
    };
    const note: AgentCommand = { type: 'NoteConduct', at, agentId, kind, evidence: 'fact:session-broker/7' };
    given(registered, scored(registered)).when(note).then(noted, scored(registered, noted));
    given(registered, noted, scored(registered, noted)).when(note).thenNothing();
  });

  it('cannot return once retired', () =>
    given(registered, retired).when({ type: 'ReinstateAgent', at, agentId }).thenRefused('AGENT_RETIRED'));
  it('cannot be registered under an id that was retired', () =>
    given(registered, retired).when(register).thenRefused('AGENT_RETIRED'));
  it('is retired once', () =>
    given(registered, retired).when({ type: 'RetireAgent', at, agentId }).thenNothing());
});

describe('a trust score', () => {
  it('is the sum of its explained points and names its function', () => {
    const { trust } = stateOf(registered, scored(registered));
    expect(trust?.functionVersion).toBe(TRUST_FUNCTION_VERSION);
    expect(trust?.score).toBe(trust?.points.reduce((sum, { points }) => sum + points, 0));
    expect(trust?.points.map(({ component, points }) => `${component} ${points}`)).toEqual([
      'environment 15',
      'provenance 24',
      'age 0',
      'conduct 25',
      'sensitivity 8',
    ]);
  });
  it('grows with age, up to thirty days', () => {
    const later = (days: number): AgentCommand => ({
      type: 'ScoreAgent',
      at: new Date(at.getTime() + days * 86_400_000),
      agentId,
    });
    const score = (days: number) => {
      const fact = agentDecider.decide(later(days), stateOf(registered))[0];
      return fact?.type === 'AgentTrustScored' ? fact.data.score : -1;
    };
    expect([score(0), score(15), score(30), score(300)]).toEqual([72, 79, 87, 87]);
  });
  it('is made anew when its parts change, even where their sum does not', () => {
    const day20 = new Date(at.getTime() + 20 * 86_400_000);
    const past = [registered, scored(registered), attested];
    const suspend: AgentCommand = { type: 'SuspendAgent', at: day20, agentId, reason: 'odd' };
    const { trust } = agentDecider
      .decide(suspend, stateOf(...past))
      .reduce(agentDecider.evolve, stateOf(...past));
    expect(trust?.score).toBe(72);
    const parts = Object.fromEntries(trust?.points.map(({ component, points }) => [component, points]) ?? []);
    expect(parts).toMatchObject({ age: 10, conduct: 15 });
  });
  it('is not made anew while its parts stay, whatever the day', () =>
    given(registered, scored(registered))
      .when({ type: 'ScoreAgent', at: new Date(at.getTime() + 86_400_000), agentId })
      .thenNothing());
  it('never leaves 0 to 100, however bad the conduct', () => {
    const many = Array.from({ length: 20 }, () => suspended);
    const fact = scored(registered, ...many);
    expect(fact.type === 'AgentTrustScored' && fact.data.score).toBe(47);
  });
});
