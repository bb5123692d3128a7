import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DecideRequest,
  type DecideResponse,
  DecisionServiceService,
} from '@writ/contracts/writ/policy/v1/decision.js';
import { PolicySetServiceService } from '@writ/contracts/writ/policy/v1/policy_set.js';
import {
  AgentAttested,
  AgentRegistered,
  AgentTrustScored,
  Environment,
  Sensitivity,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonRegistered, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { SigningKeyAdded } from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import { canonicalJson, type Id } from '@writ/kernel';
import { type Identity, type RunningService, Secret, type StartSettings } from '@writ/service';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { policyEngineService } from '../src/policy-engine.module.js';
import { PolicyEngineSettings } from '../src/policy-engine.settings.js';
import {
  AUDIENCE,
  ISSUER,
  KEY_ID,
  PURPOSE,
  payment,
  question,
  signedToken,
  type TokenWish,
  type Worker,
} from './asking.js';
import { approvalsService, brokerService, publish, registryService, WatchRpc } from './neighbours.js';

const HOUR_MS = 60 * 60 * 1000;
const starter = join(import.meta.dirname, '..', 'policies', 'starter');

/** A policy engine among its neighbours, on real PostgreSQL. */
export class House {
  readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  registry!: RunningService;
  broker!: RunningService;
  approvals!: RunningService;
  engine!: RunningService;
  engineUrl!: Secret<string>;
  admin!: Identity;
  gateway!: Identity;
  personId!: Id<'psn'>;

  private constructor(readonly world: World) {}

  /** @param wish.policies false to start without a policy set */
  static async build(wish: { policies?: boolean } = {}): Promise<House> {
    const house = new House(await World.start());
    const { world } = house;
    house.registry = await world.service(registryService);
    house.broker = await world.service(brokerService);
    house.approvals = await world.service(approvalsService);
    house.engineUrl = new Secret(await world.databaseOf(policyEngineService));
    house.engine = await house.startEngine();
    const { x = '', y = '' } = house.keys.publicKey.export({ format: 'jwk' });
    const jwk = canonicalJson({ kty: 'EC', crv: 'P-256', x, y });
    await publish(
      house.broker,
      SigningKeyAdded,
      'SigningKeyAdded',
      { keyId: KEY_ID, jwk, issuer: ISSUER },
      KEY_ID,
    );
    house.gateway = await world.identity({ kind: 'enforcement-point', id: 'erp-gateway' });
    house.personId = world.clock.newId('psn');
    house.admin = await house.person([Role.ROLE_ADMIN], house.personId);
    if (wish.policies !== false) await house.applyStarter();
    return house;
  }

  get watch(): WatchRpc {
    return this.broker.app.get(WatchRpc);
  }

  /** Another replica, or the same again after it was stopped. */
  async startEngine(
    wish: { factsAgeMsMax?: number; settings?: Partial<StartSettings>; identity?: Identity } = {},
  ): Promise<RunningService> {
    const engine = await this.world.service(policyEngineService, {
      ...wish.settings,
      databaseUrl: this.engineUrl,
      ...(wish.identity !== undefined && { identity: wish.identity }),
      own: new PolicyEngineSettings({
        sessionBrokerAddress: this.broker.address,
        tokenIssuer: ISSUER,
        tokenAudience: AUDIENCE,
        factsAgeMsMax: wish.factsAgeMsMax ?? 3_000,
        cedarShadowOneIn: 1,
      }),
    });
    await this.until(async () => (await engine.readiness.failing()).length === 0);
    return engine;
  }

  async starterSet(): Promise<{ policies: string; schema: string }> {
    const read = (file: string) => readFile(join(starter, file), 'utf8');
    const policies = (await Promise.all(['access.cedar', 'finance.cedar'].map(read))).join('\n');
    return { policies, schema: await read('schema.cedarschema') };
  }

  policySets(identity: Identity = this.admin, engine = this.engine) {
    return this.world.client(engine, PolicySetServiceService, identity);
  }

  async applyStarter(): Promise<void> {
    const blank = { note: 'to begin with', etag: '', requestId: '', validateOnly: false, tests: [] };
    await this.policySets().applyPolicySet(
      { ...(await this.starterSet()), ...blank },
      { deadlineMs: 20_000 },
    );
  }

  async person(roles: Role[], personId = this.world.clock.newId('psn')): Promise<Identity> {
    await publish(this.registry, PersonRegistered, 'PersonRegistered', { personId, roles }, personId);
    return this.world.identity({ kind: 'person', id: personId });
  }

  async agent(
    wish: Partial<AgentRegistered> & { score?: number } = {},
  ): Promise<{ agentId: Id<'agt'>; identity: Identity }> {
    const { score = 78, ...described } = wish;
    const agentId = this.world.clock.newId('agt');
    const registered = AgentRegistered.fromPartial({
      agentId,
      owner: 'finance',
      sponsorId: this.personId,
      environment: Environment.ENVIRONMENT_PRODUCTION,
      sensitivity: Sensitivity.SENSITIVITY_CONFIDENTIAL,
      ...described,
    });
    await publish(this.registry, AgentRegistered, 'AgentRegistered', registered, agentId);
    await publish(
      this.registry,
      AgentTrustScored,
      'AgentTrustScored',
      AgentTrustScored.fromPartial({ agentId, score }),
      agentId,
    );
    await publish(
      this.registry,
      AgentAttested,
      'AgentAttested',
      AgentAttested.fromPartial({ agentId }),
      agentId,
    );
    return { agentId, identity: await this.world.identity({ kind: 'agent', id: agentId }) };
  }

  /** An agent with a mandate to pay up to 5 000 each and 20 000 in total, in an open session that the engine knows. */
  async worker(
    wish: {
      total?: string;
      calls?: bigint;
      agent?: Partial<AgentRegistered> & { score?: number };
      /** Beside payments and reading databases. */
      details?: { type: string; actions: string[]; identifier?: string; locations?: string[] }[];
    } = {},
  ): Promise<Worker> {
    const { agentId, identity } = await this.agent(wish.agent);
    const mandateId = this.world.clock.newId('mdt');
    const expireTime = new Date(this.world.clock.now().getTime() + 4 * HOUR_MS);
    const granted = MandateGranted.fromPartial({
      mandateId,
      personId: this.personId,
      agentId,
      purpose: PURPOSE,
      authorizationDetails: [
        {
          type: 'payment',
          actions: ['pay'],
          constraints: { amountMax: { currencyCode: 'EUR', value: '5000' } },
        },
        { type: 'database', actions: ['read'] },
        ...(wish.details ?? []),
      ],
      limits: {
        amountTotal: { currencyCode: 'EUR', value: wish.total ?? '20000' },
        callsTotal: wish.calls ?? 0n,
      },
      expireTime,
    });
    await publish(this.broker, MandateGranted, 'MandateGranted', granted, agentId);
    return this.session({ agentId, identity }, mandateId, expireTime);
  }

  async session(
    agent: { agentId: Id<'agt'>; identity: Identity },
    mandateId: Id<'mdt'>,
    expireTime: Date,
  ): Promise<Worker> {
    const sessionId = this.world.clock.newId('ses');
    const certificateSha256 = agent.identity.current().certificateSha256;
    const chain = { agentId: agent.agentId, mandateId, delegationIds: [], personId: this.personId };
    const opened: SessionOpened = {
      sessionId,
      ...chain,
      task: 'pay',
      purpose: PURPOSE,
      expireTime,
      certificateSha256,
    };
    const pos = await publish(this.broker, SessionOpened, 'SessionOpened', opened, agent.agentId);
    const position = { source: 'session-broker', pos };
    const worker = { ...agent, sessionId, mandateId, position, token: '' };
    const known = { ...worker, token: this.token(worker) };
    await this.until(
      async () =>
        (await this.pay(known, '1', { action: { ...payment('1'), name: 'look' } })).reasonCode ===
        'MANDATE_ACTION',
    );
    return known;
  }

  token(worker: Omit<Worker, 'token'>, wish: TokenWish = {}): string {
    const { clock } = this.world;
    const iat = Math.floor(clock.now().getTime() / 1000);
    const { personId, keys } = this;
    return signedToken({ worker, personId, iat, tokenId: clock.newId('tok'), key: keys.privateKey, ...wish });
  }

  decisions(identity: Identity = this.gateway, engine = this.engine) {
    return this.world.client(engine, DecisionServiceService, identity);
  }

  /** Asks as the gateway in front of the ERP does. */
  pay(
    worker: Worker,
    amount: string,
    wish: Partial<DecideRequest> = {},
    by = this.decisions(),
  ): Promise<DecideResponse> {
    return by.decide(question(worker, payment(amount), wish), { deadlineMs: 10_000 });
  }

  async until(holds: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
    const endMs = this.world.clock.monotonicMs() + withinMs;
    while (!(await holds())) {
      if (this.world.clock.monotonicMs() > endMs) throw new Error(`did not hold within ${withinMs} ms`);
      await delay(20);
    }
  }

  /** As the owner of the database. */
  async sql<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.world.ownerUrl });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  stop(): Promise<void> {
    return this.world.stop();
  }
}
