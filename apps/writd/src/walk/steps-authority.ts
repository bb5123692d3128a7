import { randomBytes } from 'node:crypto';
import { AgentState } from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, type Provenance, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import type { AuthorizationDetail } from '@writ/contracts/writ/type/v1/authority.js';
import { refusalOf, sha256Base64Url } from '@writ/service';
import { AgentSession, isAllowed } from './agent-session.js';
import { addPerson, memberOf, newKeys, saveMember, walkRoles } from './cast.js';
import { Erp, plainAction } from './erp.js';
import { expectRefused, expectThat, type Stage } from './stage.js';

const digestOf = (text: string) => `sha-256:${sha256Base64Url(text)}`;

const provenanceOf = (name: string): Provenance => ({
  modelDigest: digestOf(`${name} model`),
  systemPromptDigest: digestOf(`${name} system prompt`),
  toolsDigest: digestOf(`${name} tools`),
  imageDigest: digestOf(`${name} image`),
});

export const detail = (
  type: string,
  actions: string[],
  place: Partial<AuthorizationDetail> = {},
): AuthorizationDetail => ({
  type,
  actions,
  locations: [],
  datatypes: [],
  identifier: '',
  privileges: [],
  constraints: undefined,
  ...place,
});

export const euros = (value: string) => ({ currencyCode: 'EUR', value });

/** 1. People, a blueprint, two agents; they cannot act until attested. */
export async function register(stage: Stage): Promise<void> {
  const { operator, suite } = stage;
  const { home, record } = suite;
  for (const name of ['ana', 'ben', 'sam'] as const) {
    const person = await addPerson(home, operator, record, name, [...walkRoles[name]]);
    stage.props[name] = person;
    stage.say(
      `${name} is registered as ${person.id}`,
      await stage.entryOf(person.id, 'writ.registry.v1.PersonRegistered'),
    );
  }
  const blueprint = await operator.clients.blueprints.defineBlueprint({
    displayName: 'finance agent',
    owner: 'finance',
    provenance: provenanceOf('finance'),
    sensitivityMax: Sensitivity.SENSITIVITY_CONFIDENTIAL,
    requestId: '',
  });
  stage.say(
    `blueprint ${blueprint.blueprintId}`,
    await stage.entryOf(blueprint.blueprintId, 'writ.registry.v1.BlueprintDefined'),
  );
  stage.props.invoiceAgent = await registerAgent(stage, 'invoice-agent', blueprint.blueprintId);
  stage.props.fxAgent = await registerAgent(stage, 'fx-agent', blueprint.blueprintId);

  await cannotActYet(stage);
  for (const name of ['invoiceAgent', 'fxAgent'] as const) {
    const { id } = stage.get(name);
    const { agents } = stage.get('sam').clients;
    const { etag } = await agents.getAgent({ agentId: id });
    const agent = await agents.attestAgent({ agentId: id, etag, requestId: '' });
    expectThat('an attested agent is active', agent.state === AgentState.AGENT_STATE_ACTIVE, agent.state);
    stage.say(
      `sam attests ${agent.displayName}, trust ${agent.trust?.score}`,
      await stage.entryOf(id, 'writ.registry.v1.AgentAttested'),
    );
  }
}

/** With a mandate and a certificate: all that is missing is the attestation. */
async function cannotActYet(stage: Stage): Promise<void> {
  const agent = stage.get('invoiceAgent');
  const { mandates } = stage.get('ana').clients;
  // The session broker may not have heard of the agent yet.
  const { mandateId } = await stage.until('invoice-agent at the session broker', () =>
    mandates
      .grantMandate({
        agentId: agent.id,
        purpose: 'too early',
        authorizationDetails: [detail('rate', ['read'])],
        limits: undefined,
        expireTime: stage.inHours(1),
        maxDepth: 0,
        requestId: '',
      })
      .catch((error: unknown) => {
        if (refusalOf(error)?.reason === 'AGENT_UNKNOWN') return undefined;
        throw error;
      }),
  );
  const claim = 'an agent that nobody attested cannot open a session';
  await expectRefused(claim, AgentSession.open(stage, agent, { mandateId }, 'too early'), 'AGENT_NOT_ACTIVE');
}

async function registerAgent(stage: Stage, name: string, blueprintId: string) {
  const keys = newKeys();
  const { agentId } = await stage.operator.clients.agents.registerAgent({
    displayName: name,
    builder: 'finance engineering',
    owner: 'finance',
    sponsorId: stage.get('sam').id,
    blueprintId,
    purpose: 'pay supplier invoices',
    environment: Environment.ENVIRONMENT_PRODUCTION,
    sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
    provenance: provenanceOf(name),
    jwk: keys.jwk,
    requestId: '',
  });
  await saveMember(stage.suite.home, stage.operator, name, agentId, keys);
  stage.say(
    `${name} is registered as ${agentId}`,
    await stage.entryOf(agentId, 'writ.registry.v1.AgentRegistered'),
  );
  return memberOf(stage.suite.home, stage.suite.record, name);
}

/** 2. Ana's mandate: read invoices, pay up to 5 000 EUR each and 20 000 in total, four hours. */
export async function grant(stage: Stage): Promise<void> {
  const erp = await Erp.create(stage.suite);
  stage.props.erp = erp;
  const secret = await stage.operator.clients.secrets.createSecret({
    displayName: `erp administrator ${randomBytes(3).toString('hex')}`,
    owner: 'finance',
    value: Buffer.from(erp.ownerUrl),
    requestId: '',
  });
  const role = await stage.operator.clients.leases.defineDatabaseRole({
    displayName: 'erp-reader',
    secretId: secret.secretId,
    memberOf: ['erp_reader'],
    ttlSecondsMax: 3600,
    requestId: '',
  });
  stage.props.databaseRoleId = role.databaseRoleId;
  stage.say(
    `the vault can make credentials for erp: ${role.databaseRoleId}`,
    await stage.entryOf(role.databaseRoleId, 'writ.vault.v1.DatabaseRoleDefined'),
  );
  const mandate = await stage.get('ana').clients.mandates.grantMandate({
    agentId: stage.get('invoiceAgent').id,
    purpose: 'September supplier run',
    authorizationDetails: [
      detail('payment', ['pay'], {
        locations: ['erp'],
        identifier: 'invoices/*',
        constraints: { amountMax: euros('5000'), fields: [] },
      }),
      detail('database', ['lease'], { identifier: role.databaseRoleId }),
      detail('rate', ['read'], { locations: ['fx'], identifier: 'rates/*' }),
    ],
    limits: { amountTotal: euros('20000'), amountEach: undefined, callsTotal: 0n },
    expireTime: stage.inHours(4),
    maxDepth: 1,
    requestId: '',
  });
  stage.props.mandateId = mandate.mandateId;
  stage.say(
    `ana grants ${mandate.mandateId}: pay up to 5 000 EUR each, 20 000 in total, four hours`,
    await stage.entryOf(mandate.mandateId, 'writ.session.v1.MandateGranted'),
  );
}

/** 3. A session, and a leased credential that can read and cannot write. */
export async function read(stage: Stage): Promise<void> {
  const session = await AgentSession.open(
    stage,
    stage.get('invoiceAgent'),
    { mandateId: stage.get('mandateId') },
    'pay September invoices',
  );
  stage.session = session;
  stage.say(
    `invoice-agent opens ${session.sessionId}`,
    await stage.entryOf(session.sessionId, 'writ.session.v1.SessionOpened'),
  );
  const { lease, username, password } = await session.agent.clients.leases.issueLease({
    token: session.accessToken,
    presentedCertificateSha256: '',
    databaseRoleId: stage.get('databaseRoleId'),
    ttlSeconds: 0,
    approvalId: '',
    atLeast: session.atLeast,
    requestId: '',
  });
  const leaseId = lease?.leaseId ?? '';
  stage.props.leaseId = leaseId;
  stage.props.lease = { username, password };
  const erp = stage.get('erp');
  const found = await erp.as({ username, password }, 'select count(*)::int as count from invoice');
  expectThat('the credential reads the invoices', found.rows[0].count >= 300, found.rows[0]);
  const code = await erp.as({ username, password }, `insert into invoice values ('x', 'x', 1)`).then(
    () => 'written',
    (error: { code?: string }) => error.code,
  );
  expectThat('the credential cannot write (insufficient_privilege)', code === '42501', code);
  stage.say(
    `${leaseId} reads ${found.rows[0].count} invoices as ${username} and cannot write`,
    await stage.entryOf(leaseId, 'writ.vault.v1.LeaseIssued'),
  );
}

/** 5. A narrower part for a sub-agent, and nothing wider, and no further. */
export async function delegate(stage: Stage): Promise<void> {
  const parent = stage.session;
  const part = {
    token: parent.accessToken,
    delegateAgentId: stage.get('fxAgent').id,
    authorizationDetails: [detail('rate', ['read'], { locations: ['fx'], identifier: 'rates/*' })],
    limits: { amountTotal: euros('1'), amountEach: undefined, callsTotal: 0n },
    expireTime: stage.inHours(1),
    maxDepth: 0,
    requestId: '',
  };
  const { delegations } = parent.agent.clients;
  const wider = [
    detail('payment', ['pay'], {
      locations: ['erp'],
      identifier: 'invoices/*',
      constraints: { amountMax: euros('6000'), fields: [] },
    }),
  ];
  await expectRefused(
    'a wider part is refused',
    delegations.delegate({ ...part, authorizationDetails: wider }),
    'DELEGATION_WIDENS',
  );
  const delegation = await delegations.delegate(part);
  stage.say(
    `invoice-agent delegates "read rates" as ${delegation.delegationId}`,
    await stage.entryOf(delegation.delegationId, 'writ.session.v1.DelegationMade'),
  );
  const session = await AgentSession.open(
    stage,
    stage.get('fxAgent'),
    { delegationId: delegation.delegationId },
    'read rates',
  );
  stage.fxSession = session;
  const rates = await session.decide(plainAction('rate', 'read', 'fx', 'rates/EURUSD'));
  expectThat('fx-agent may read rates', isAllowed(rates), rates);
  stage.say('fx-agent may read rates', await stage.entryAt(rates.position));
  const payment = await session.decide(plainAction('payment', 'pay', 'erp', 'invoices/x'));
  expectThat('fx-agent may pay nothing', !isAllowed(payment), payment);
  stage.say(
    `fx-agent may not pay: ${payment.reasonCode}`,
    await stage.entryOf(payment.decisionId, 'writ.policy.v1.DecisionMade'),
  );
  const further = session.agent.clients.delegations.delegate({
    ...part,
    token: session.accessToken,
    delegateAgentId: parent.agent.id,
  });
  stage.say(
    `fx-agent cannot delegate further: ${await expectRefused('no hop below the depth', further, 'DELEGATION_TOO_DEEP', 'DELEGATION_CYCLE')}`,
  );
}
