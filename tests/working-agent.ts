import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { sha256Base64Url } from '@writ/service';
import { AgentSession } from '@writ/writd/walk/agent-session.js';
import { newKeys } from '@writ/writd/walk/cast.js';
import { detail, euros } from '@writ/writd/walk/steps-authority.js';
import pg from 'pg';
import { type Party, patient, type WholeSuite } from './whole-suite.js';

const HOUR_MS = 3_600_000;
const starter = 'apps/policy-engine/policies/starter';
const digest = `sha-256:${sha256Base64Url('provenance')}`;

export const provenance = {
  modelDigest: digest,
  systemPromptDigest: digest,
  toolsDigest: digest,
  imageDigest: digest,
};

export const starterSchema = () => readFileSync(`${starter}/schema.cedarschema`, 'utf8');
export const starterPolicies = () =>
  ['access.cedar', 'finance.cedar'].map((name) => readFileSync(`${starter}/${name}`, 'utf8')).join('\n');

/** An agent at work on a real database, and everybody and everything it took to get there. */
export interface WorkingAgent {
  /** Sponsor of the agent, and at the root of its mandate. */
  readonly sponsor: Party;
  readonly agent: Party;
  readonly point: Party;
  readonly session: AgentSession;
  readonly blueprintId: string;
  readonly mandateId: string;
  readonly secretId: string;
  readonly databaseRoleId: string;
  readonly policySetId: string;
}

/** Goes the way of a customer through the contract alone. */
export async function workingAgent(suite: WholeSuite, secret: string): Promise<WorkingAgent> {
  const policySetId = await applyStarterPolicies(suite);
  const sponsor = await suite.person([Role.ROLE_SPONSOR]);
  const sensitivityMax = Sensitivity.SENSITIVITY_CONFIDENTIAL;
  const family = {
    displayName: 'finance agent',
    owner: 'finance',
    provenance,
    sensitivityMax,
    requestId: '',
  };
  const { blueprintId } = await suite.admin.clients.blueprints.defineBlueprint(family, patient);
  const agent = await attestedAgent(suite, sponsor, blueprintId);
  const vaulted = await keepInVault(suite, secret);
  const { mandateId } = await sponsor.clients.mandates.grantMandate(
    {
      agentId: agent.id,
      purpose: 'September supplier run',
      authorizationDetails: [
        detail('payment', ['pay'], { locations: ['erp'], identifier: 'invoices/*' }),
        detail('database', ['lease'], { identifier: vaulted.databaseRoleId }),
        detail('vault_secret', ['read'], { identifier: vaulted.secretId }),
      ],
      limits: { amountTotal: euros('20000'), amountEach: undefined, callsTotal: 0n },
      expireTime: new Date(Date.now() + HOUR_MS),
      maxDepth: 2,
      requestId: '',
    },
    patient,
  );
  const point = await suite.party('enforcement-point', 'erp');
  const place = { clock: suite.world.clock, suite, point: point.clients };
  const session = await AgentSession.open(place, agent, { mandateId }, 'pay invoices');
  return { sponsor, agent, point, session, blueprintId, mandateId, policySetId, ...vaulted };
}

async function applyStarterPolicies({ admin }: WholeSuite): Promise<string> {
  const texts = { policies: starterPolicies(), schema: starterSchema(), note: 'starter policies' };
  const request = { ...texts, tests: [], etag: '', requestId: '', validateOnly: false };
  return (await admin.clients.policySets.applyPolicySet(request, patient)).policySetId;
}

async function keepInVault({ admin }: WholeSuite, secret: string) {
  const displayName = `erp ${randomBytes(3).toString('hex')}`;
  const kept = { displayName, owner: 'finance', value: Buffer.from(secret), requestId: '' };
  const { secretId } = await admin.clients.secrets.createSecret(kept, patient);
  const role = { displayName: 'erp-reader', secretId, memberOf: ['erp_reader'], ttlSecondsMax: 3_600 };
  const { databaseRoleId } = await admin.clients.leases.defineDatabaseRole(
    { ...role, requestId: '' },
    patient,
  );
  return { secretId, databaseRoleId };
}

/** Registered by the administrator, attested by its sponsor, known to the session-broker when this answers. */
export async function attestedAgent(suite: WholeSuite, sponsor: Party, blueprintId: string): Promise<Party> {
  const keys = newKeys();
  const { agentId, etag } = await suite.admin.clients.agents.registerAgent(
    {
      displayName: 'invoice-agent',
      builder: 'finance engineering',
      owner: 'finance',
      sponsorId: sponsor.id,
      blueprintId,
      purpose: 'pay supplier invoices',
      environment: Environment.ENVIRONMENT_PRODUCTION,
      sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
      provenance,
      jwk: keys.jwk,
      requestId: '',
    },
    patient,
  );
  await sponsor.clients.agents.attestAgent({ agentId, etag, requestId: '' }, patient);
  await suite.settled();
  return suite.party('agent', agentId, keys);
}

/** A database for the vault to lend out, on the suite's server. Answers the connection URL of its administrator. */
export async function erpDatabase(suite: WholeSuite): Promise<string> {
  const url = await suite.world.postgres.database('erp');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('create table invoice (id int primary key); create role erp_reader nologin');
    await client.query('grant select on invoice to erp_reader');
  } finally {
    await client.end();
  }
  return url;
}
