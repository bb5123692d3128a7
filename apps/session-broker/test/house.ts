import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentServiceService } from '@writ/contracts/writ/registry/v1/agent.js';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import {
  type DelegateRequest,
  DelegationServiceService,
} from '@writ/contracts/writ/session/v1/delegation.js';
import { LockServiceService } from '@writ/contracts/writ/session/v1/lock.js';
import type { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { type GrantMandateRequest, MandateServiceService } from '@writ/contracts/writ/session/v1/mandate.js';
import {
  type OpenSessionRequest,
  type Session,
  SessionServiceService,
} from '@writ/contracts/writ/session/v1/session.js';
import type { AuthorizationDetail } from '@writ/contracts/writ/type/v1/authority.js';
import { type Identity, type RunningService, refusalOf, Secret } from '@writ/service';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { BrokerSettings } from '../src/broker-settings.js';
import { sessionBrokerService } from '../src/session-broker.module.js';

export const ISSUER = 'https://broker.writ.test';
export const AUDIENCE = 'writ';

export interface TestPerson {
  readonly id: string;
  readonly identity: Identity;
}

export interface TestAgent {
  readonly id: string;
  readonly identity: Identity;
  readonly signingKey: KeyObject;
}

export interface OpenedSession {
  readonly agent: TestAgent;
  readonly sessionId: string;
  readonly session: Session;
  readonly token: string;
}

const digest = `sha-256:${'A'.repeat(43)}`;
const provenance = {
  modelDigest: digest,
  systemPromptDigest: digest,
  toolsDigest: digest,
  imageDigest: digest,
};

export function detail(change: Partial<AuthorizationDetail> = {}): AuthorizationDetail {
  return {
    type: 'payment',
    actions: ['read', 'pay'],
    locations: [],
    datatypes: [],
    identifier: 'invoices/*',
    privileges: [],
    constraints: undefined,
    ...change,
  };
}

export const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);
/** The same for all, so that one may hang below another. */
const delegationEnd = inMinutes(60);

/** The session-broker and the registry, in one world, with people and agents that are real. */
export class House {
  registry!: RunningService;
  broker!: RunningService;
  brokerUrl!: Secret<string>;
  admin!: TestPerson;
  /** A sponsor and nothing else: at the root of everything unless a test says otherwise. */
  ana!: TestPerson;
  readonly #pools: pg.Pool[] = [];

  private constructor(readonly world: World) {}

  static async build(): Promise<House> {
    const house = new House(await World.start());
    const { world } = house;
    house.registry = await world.service(registryService, {
      own: new RegistrySettings({ trustDomainDir: world.trustDomainDir }),
    });
    house.brokerUrl = new Secret(await world.databaseOf(sessionBrokerService));
    house.broker = await house.replica();
    const bootstrap = await world.identity({ kind: 'bootstrap', id: 'bootstrap' });
    house.admin = await house.person(
      [Role.ROLE_ADMIN, Role.ROLE_OPERATOR, Role.ROLE_SECURITY, Role.ROLE_SPONSOR],
      bootstrap,
    );
    house.ana = await house.person([Role.ROLE_SPONSOR]);
    return house;
  }

  /** One more process of the broker on the same database. */
  replica(): Promise<RunningService> {
    const own = new BrokerSettings({
      tokenIssuer: ISSUER,
      tokenAudience: AUDIENCE,
      signingKeyFile: join(this.world.folder, 'token-signing.pem'),
    });
    return this.world.service(sessionBrokerService, { own, databaseUrl: this.brokerUrl });
  }

  async stop(): Promise<void> {
    for (const pool of this.#pools) await pool.end();
    await this.world.stop();
  }

  /** The database as its owner, who may do what the services may not. */
  sql(connections = 1): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.world.ownerUrl, max: connections });
    pool.on('error', () => undefined);
    this.#pools.push(pool);
    return pool;
  }

  people(by: Identity) {
    return this.world.client(this.registry, PersonServiceService, by);
  }

  agents(by: Identity = this.admin.identity) {
    return this.world.client(this.registry, AgentServiceService, by);
  }

  mandates(by: Identity, of = this.broker) {
    return this.world.client(of, MandateServiceService, by);
  }

  delegations(by: Identity, of = this.broker) {
    return this.world.client(of, DelegationServiceService, by);
  }

  sessions(by: Identity = this.admin.identity, of = this.broker) {
    return this.world.client(of, SessionServiceService, by);
  }

  locks(by: Identity = this.admin.identity, of = this.broker) {
    return this.world.client(of, LockServiceService, by);
  }

  async person(roles: Role[], by = this.admin.identity): Promise<TestPerson> {
    const request = { displayName: 'somebody', roles, jwk: '', requestId: '' };
    const { personId } = await this.people(by).registerPerson(request);
    return { id: personId, identity: await this.world.identity({ kind: 'person', id: personId }) };
  }

  async agent(o: { attested?: boolean; owner?: string; sponsor?: TestPerson } = {}): Promise<TestAgent> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const sponsor = o.sponsor ?? this.ana;
    const { agentId, etag } = await this.agents().registerAgent({
      displayName: 'invoice-agent',
      builder: 'finance-engineering',
      owner: o.owner ?? 'finance',
      sponsorId: sponsor.id,
      blueprintId: '',
      purpose: 'pay supplier invoices',
      environment: Environment.ENVIRONMENT_PRODUCTION,
      sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
      provenance,
      jwk: JSON.stringify(publicKey.export({ format: 'jwk' })),
      requestId: '',
    });
    if (o.attested ?? true) await this.agents(sponsor.identity).attestAgent({ agentId, etag, requestId: '' });
    const identity = await this.world.identity({ kind: 'agent', id: agentId });
    return { id: agentId, identity, signingKey: privateKey };
  }

  async mandate(agent: TestAgent, change: Partial<GrantMandateRequest> = {}, by = this.ana) {
    return this.mandates(by.identity).grantMandate({
      agentId: agent.id,
      purpose: 'September supplier run',
      authorizationDetails: [detail()],
      limits: undefined,
      expireTime: inMinutes(240),
      maxDepth: 2,
      requestId: '',
      ...change,
    });
  }

  openRequest(agent: TestAgent, change: Partial<OpenSessionRequest>): OpenSessionRequest {
    const assertion = assertionOf(agent);
    return { assertion, mandateId: '', delegationId: '', task: 'pay the invoices', requestId: '', ...change };
  }

  async open(agent: TestAgent, authority: Partial<OpenSessionRequest>): Promise<OpenedSession> {
    const opened = await this.sessions(agent.identity).openSession(this.openRequest(agent, authority));
    if (opened.session === undefined) throw new Error('no session was answered');
    const { session, accessToken } = opened;
    return { agent, session, sessionId: session.sessionId, token: accessToken };
  }

  /** A session of a new agent under a new mandate. */
  async session(change: Partial<GrantMandateRequest> = {}): Promise<OpenedSession> {
    const agent = await this.agent();
    const { mandateId } = await this.mandate(agent, change);
    return this.open(agent, { mandateId });
  }

  delegateRequest(
    { token }: OpenedSession,
    to: TestAgent,
    change: Partial<DelegateRequest> = {},
  ): DelegateRequest {
    const request = { authorizationDetails: [detail({ actions: ['read'] })], limits: undefined };
    const rest = { expireTime: delegationEnd, maxDepth: 0, requestId: '' };
    return { token, delegateAgentId: to.id, ...request, ...rest, ...change };
  }

  async delegate(session: OpenedSession, to: TestAgent, change: Partial<DelegateRequest> = {}) {
    return this.delegations(session.agent.identity).delegate(this.delegateRequest(session, to, change));
  }

  async lock(targetKind: LockTargetKind, targetId: string, of = this.broker) {
    const request = { targetKind, targetId, reason: 'odd', expireTime: undefined, requestId: randomUUID() };
    const placed = await this.locks(this.admin.identity, of).placeLock(request);
    if (placed.lock === undefined) throw new Error('no lock was answered');
    return { ...placed, lock: placed.lock };
  }

  async endCause(sessionId: string): Promise<number> {
    return (await this.sessions().getSession({ sessionId })).endCause;
  }
}

/** RFC 7523: what an agent signs to prove itself, unless a test says otherwise. */
export function assertionOf(
  agent: TestAgent,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(Date.now() / 1000);
  const all = { iss: agent.id, sub: agent.id, aud: ISSUER, iat, exp: iat + 30, jti: randomUUID(), ...claims };
  const signed = `${part({ alg: 'ES256', ...header })}.${part(all)}`;
  const key = { key: agent.signingKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'not refused',
    (cause: unknown) => cause,
  );
}

/** The closed code with which a call was refused. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error = await errorOf(call);
  return refusalOf(error)?.reason ?? String(error);
}

/** The fields that a refusal names. */
export async function fieldsOf(call: Promise<unknown>): Promise<string[]> {
  return (refusalOf(await errorOf(call))?.fields ?? []).map(({ field }) => field).sort();
}

export function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** Waits for what comes by itself, such as a reaction to a fact. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 10_000,
): Promise<number> {
  const startMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startMs > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await delay(5);
  }
  return performance.now() - startMs;
}
