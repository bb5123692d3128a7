import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentServiceService, AgentState } from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { BlueprintServiceService } from '@writ/contracts/writ/registry/v1/blueprint.js';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type Identity, type RunningService, refusalOf } from '@writ/service';
import { World } from '@writ/testing/world.js';
import { RegistrySettings, registryService } from '../src/registry.module.js';

let world: World;
let registry: RunningService;
let admin: { id: string; identity: Identity };
let sponsor: { id: string; identity: Identity };
const first = {
  displayName: 'somebody',
  roles: [Role.ROLE_ADMIN, Role.ROLE_OPERATOR, Role.ROLE_SECURITY],
  jwk: '',
  requestId: randomUUID(),
};

const newJwk = () =>
  JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }));
const digest = `sha-256:${'A'.repeat(43)}`;
const provenance = {
  modelDigest: digest,
  systemPromptDigest: digest,
  toolsDigest: digest,
  imageDigest: digest,
};
const people = (identity: Identity) => world.client(registry, PersonServiceService, identity);
const agents = (identity: Identity) => world.client(registry, AgentServiceService, identity);
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'not refused',
    (error: unknown) => refusalOf(error)?.reason ?? String(error),
  );

const registration = () => ({
  displayName: 'invoice-agent',
  builder: 'finance-engineering',
  owner: 'finance',
  sponsorId: sponsor.id,
  blueprintId: '',
  purpose: 'pay supplier invoices',
  environment: Environment.ENVIRONMENT_PRODUCTION,
  sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
  provenance,
  jwk: newJwk(),
  requestId: '',
});

async function person(by: Identity, roles: Role[], jwk = '') {
  const { personId } = await people(by).registerPerson({
    displayName: 'somebody',
    roles,
    jwk,
    requestId: '',
  });
  return { id: personId, identity: await world.identity({ kind: 'person', id: personId }) };
}

beforeAll(async () => {
  world = await World.start();
  const own = new RegistrySettings({ trustDomainDir: world.trustDomainDir });
  registry = await world.service(registryService, { own });
  const bootstrap = await world.identity({ kind: 'bootstrap', id: 'bootstrap' });
  const { personId: id } = await people(bootstrap).registerPerson(first);
  admin = { id, identity: await world.identity({ kind: 'person', id }) };
  sponsor = await person(admin.identity, [Role.ROLE_SPONSOR]);
});

afterAll(async () => {
  await world?.stop();
});

describe('the registry', () => {
  it('lets the bootstrap certificate register the first person only', async () => {
    const bootstrap = await world.identity({ kind: 'bootstrap', id: 'bootstrap' });
    expect(await codeOf(person(bootstrap, [Role.ROLE_ADMIN]))).toBe('BOOTSTRAP_OVER');
  });

  it('answers the bootstrap certificate again when the answer to its own request was lost, and nothing else', async () => {
    const bootstrap = people(await world.identity({ kind: 'bootstrap', id: 'bootstrap' }));
    expect((await bootstrap.registerPerson(first)).personId).toBe(admin.id);
    const other = { ...first, jwk: newJwk() };
    expect(await codeOf(bootstrap.registerPerson(other))).toBe('REQUEST_ID_REUSED');
    const anew = { ...first, requestId: randomUUID() };
    expect(await codeOf(bootstrap.registerPerson(anew))).toBe('BOOTSTRAP_OVER');
    expect(await codeOf(bootstrap.registerPerson(anew))).toBe('BOOTSTRAP_OVER');
    const everybody = { role: 0, pageSize: 100, pageToken: '' };
    const { people: known } = await people(admin.identity).listPeople(everybody);
    expect(known.filter(({ roles }) => roles.includes(Role.ROLE_ADMIN))).toHaveLength(1);
  });

  it('keeps an agent from acting until its sponsor has attested it', async () => {
    const registered = await agents(admin.identity).registerAgent(registration());
    expect(registered.state).toBe(AgentState.AGENT_STATE_AWAITING_ATTESTATION);
    expect(registered.name).toBe(`agents/${registered.agentId}`);
    expect(registered.spiffeId).toBe(`spiffe://writ.test/agent/${registered.agentId}`);
    expect(registered.trust?.score).toBe(
      registered.trust?.points.reduce((sum, { points }) => sum + points, 0),
    );
    const attested = await agents(sponsor.identity).attestAgent({
      agentId: registered.agentId,
      etag: registered.etag,
      requestId: '',
    });
    expect(attested.state).toBe(AgentState.AGENT_STATE_ACTIVE);
  });

  it('lets no sponsor attest a provenance that was changed after they looked', async () => {
    const seen = await agents(admin.identity).registerAgent(registration());
    const { agentId, etag } = seen;
    const attest = (sawEtag: string) =>
      agents(sponsor.identity).attestAgent({ agentId, etag: sawEtag, requestId: '' });
    const blind = await attest('').catch((thrown: unknown) => refusalOf(thrown));
    expect(blind).toMatchObject({ reason: 'INVALID_ARGUMENT', fields: [{ field: 'etag' }] });
    const other = { ...provenance, modelDigest: `sha-256:${'B'.repeat(43)}` };
    const change = { agentId, provenance: other, etag: '', requestId: '' };
    const changed = await agents(admin.identity).changeAgentProvenance(change);
    expect(await codeOf(attest(etag))).toBe('ETAG_STALE');
    expect((await agents(admin.identity).getAgent({ agentId })).state).toBe(
      AgentState.AGENT_STATE_AWAITING_ATTESTATION,
    );
    expect((await attest(changed.etag)).state).toBe(AgentState.AGENT_STATE_ACTIVE);
  });

  it('names every bad field of a registration', async () => {
    const bad = {
      ...registration(),
      displayName: '',
      sponsorId: 'agt_1',
      environment: 0,
      jwk: '{"kty":"RSA"}',
    };
    const error = await agents(admin.identity)
      .registerAgent(bad)
      .catch((thrown: unknown) => refusalOf(thrown));
    expect(error).toMatchObject({ reason: 'INVALID_ARGUMENT' });
    const fields = (error as { fields: readonly { field: string }[] }).fields
      .map(({ field }) => field)
      .sort();
    expect(fields).toEqual(['display_name', 'environment', 'jwk', 'sponsor_id']);
  });

  it('refuses a private key and does not repeat it', async () => {
    const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      format: 'jwk',
    });
    const call = agents(admin.identity).registerAgent({ ...registration(), jwk: JSON.stringify(privateJwk) });
    const error = await call.catch((thrown: unknown) => refusalOf(thrown));
    expect(error).toMatchObject({ reason: 'INVALID_ARGUMENT' });
    expect(JSON.stringify(error)).not.toContain(privateJwk.d);
  });

  it('answers the same request id with the same agent, and another body with a refusal', async () => {
    const request = { ...registration(), requestId: randomUUID() };
    const [first, second] = [
      await agents(admin.identity).registerAgent(request),
      await agents(admin.identity).registerAgent(request),
    ];
    expect(second.agentId).toBe(first.agentId);
    const other = agents(admin.identity).registerAgent({ ...request, owner: 'somebody else' });
    expect(await codeOf(other)).toBe('REQUEST_ID_REUSED');
  });

  it('refuses a change that was made from an old state', async () => {
    const { agentId, etag } = await agents(admin.identity).registerAgent(registration());
    await agents(admin.identity).suspendAgent({ agentId, reason: 'odd', etag, requestId: '' });
    expect(await codeOf(agents(admin.identity).retireAgent({ agentId, etag, requestId: '' }))).toBe(
      'ETAG_STALE',
    );
  });

  it('pages through agents in a stable order while others arrive', async () => {
    const owner = `team-${randomUUID()}`;
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1)
      made.push((await agents(admin.identity).registerAgent({ ...registration(), owner })).agentId);
    const filter = { pageSize: 2, state: 0, owner, sponsorId: '', blueprintId: '', environment: 0 };
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await agents(admin.identity).listAgents({ ...filter, pageToken });
      seen.push(...page.agents.map(({ agentId }) => agentId));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual(made);
    const first = await agents(admin.identity).listAgents({ ...filter, pageToken: '' });
    const elsewhere = agents(admin.identity).listAgents({
      ...filter,
      owner: 'finance',
      pageToken: first.nextPageToken,
    });
    expect(await codeOf(elsewhere)).toBe('INVALID_ARGUMENT');
  });

  it('stops every agent of a sponsor who leaves', async () => {
    const leaving = await person(admin.identity, [Role.ROLE_SPONSOR]);
    const { agentId, etag } = await agents(admin.identity).registerAgent({
      ...registration(),
      sponsorId: leaving.id,
    });
    await agents(leaving.identity).attestAgent({ agentId, etag, requestId: '' });
    await people(admin.identity).markPersonLeft({ personId: leaving.id, etag: '', requestId: '' });
    let state = AgentState.AGENT_STATE_ACTIVE;
    for (let tries = 0; tries < 100 && state !== AgentState.AGENT_STATE_ORPHANED; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      state = (await agents(admin.identity).getAgent({ agentId })).state;
    }
    expect(state).toBe(AgentState.AGENT_STATE_ORPHANED);
  });

  it('issues certificates to agents for their own registered key', async () => {
    const { agentId } = await agents(admin.identity).registerAgent(registration());
    const certificates = world.client(registry, CertificateServiceService, admin.identity);
    const issued = await certificates.issueCertificate({ subjectId: agentId, keyId: '', requestId: '' });
    expect(issued.spiffeId).toBe(`spiffe://writ.test/agent/${agentId}`);
    expect(issued.certificateChainPem).toContain('BEGIN CERTIFICATE');
    const other = await world.identity({
      kind: 'agent',
      id: (await agents(admin.identity).registerAgent(registration())).agentId,
    });
    const stolen = world
      .client(registry, CertificateServiceService, other)
      .issueCertificate({ subjectId: agentId, keyId: '', requestId: '' });
    expect(await codeOf(stolen)).toBe('NOT_YOUR_CERTIFICATE');
  });

  it('defines blueprints and lists them', async () => {
    const blueprints = world.client(registry, BlueprintServiceService, admin.identity);
    const sensitivityMax = Sensitivity.SENSITIVITY_INTERNAL;
    const made = await blueprints.defineBlueprint({
      displayName: 'payer',
      owner: 'finance',
      provenance,
      sensitivityMax,
      requestId: '',
    });
    const { blueprints: listed } = await blueprints.listBlueprints({ pageSize: 0, pageToken: '' });
    expect(listed.map(({ blueprintId }) => blueprintId)).toContain(made.blueprintId);
    const refused = agents(admin.identity).registerAgent({
      ...registration(),
      blueprintId: made.blueprintId,
    });
    expect(await codeOf(refused)).toBe('BLUEPRINT_SENSITIVITY');
  });

  it('lets nobody in without the role that the call asks for', async () => {
    expect(await codeOf(agents(sponsor.identity).registerAgent(registration()))).toBe('CALLER_NOT_ALLOWED');
  });

  it('narrows a list of people to a role', async () => {
    const { people: approvers } = await people(admin.identity).listPeople({
      pageSize: 0,
      pageToken: '',
      role: Role.ROLE_SPONSOR,
    });
    expect(approvers.map(({ personId }) => personId)).toContain(sponsor.id);
    expect(approvers.map(({ personId }) => personId)).not.toContain(admin.id);
  });
});
