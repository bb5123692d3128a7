import { generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildAct, claimsJson } from '@writ/authority';
import { AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonRegistered, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import {
  SessionEndCause,
  SessionEnded,
  SessionOpened,
} from '@writ/contracts/writ/session/v1/session_facts.js';
import { SigningKeyAdded } from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import { LeaseServiceService } from '@writ/contracts/writ/vault/v1/lease.js';
import { SecretServiceService } from '@writ/contracts/writ/vault/v1/secret.js';
import { canonicalJson, type Id } from '@writ/kernel';
import { createLogger, type Identity, type RunningService, Secret } from '@writ/service';
import { startPostgres, type TestPostgres } from '@writ/testing/postgres.js';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { createKeyFile } from '../src/secret/file-kek.provider.js';
import { vaultService } from '../src/vault.module.js';
import { VaultSettings } from '../src/vault.settings.js';
import {
  brokerService,
  DecisionRpc,
  policyEngineService,
  publish,
  registryService,
  WatchRpc,
} from './neighbours.js';

export const ISSUER = 'https://broker.writ.test';
export const AUDIENCE = 'writ';
export const ADMIN_PASSWORD = 'hunter2-hunter2-hunter2-hunter2';
const KEY_ID = 'key_01K41M7JG00000000000000KEY';

/** An agent with a certificate of its own. */
export interface TestAgent {
  readonly agentId: Id<'agt'>;
  readonly identity: Identity;
}

export interface TestSession {
  readonly sessionId: Id<'ses'>;
  readonly agent: TestAgent;
  readonly token: string;
}

/** A vault among its neighbours, and beside it a database `erp` on a server of its own that can go away. */
export class House {
  readonly logged: string[] = [];
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #erpPools: pg.Pool[] = [];
  registry!: RunningService;
  broker!: RunningService;
  policy!: RunningService;
  vault!: RunningService;
  vaultUrl!: Secret<string>;
  personId!: Id<'psn'>;
  admin!: Identity;

  private constructor(
    readonly world: World,
    readonly erp: TestPostgres,
    readonly erpUrl: string,
  ) {}

  static async build(): Promise<House> {
    const [world, erp] = await Promise.all([World.start(), startPostgres()]);
    const house = new House(world, erp, await erp.database('erp'));
    await house.sql(`
      create role invoice_reader nologin; create table invoice (id int primary key, amount numeric);
      insert into invoice values (1, 1200); grant select on invoice to invoice_reader;
      create role erp_admin login createrole password '${ADMIN_PASSWORD}';
      grant pg_signal_backend to erp_admin; grant invoice_reader to erp_admin with admin option`);
    house.registry = await world.service(registryService);
    house.broker = await world.service(brokerService);
    house.policy = await world.service(policyEngineService);
    await createKeyFile(house.keyFile, (count) => world.clock.randomBytes(count));
    house.vaultUrl = new Secret(await world.databaseOf(vaultService));
    await house.startVault();
    const jwk = canonicalJson(House.#jwkOf(house));
    await publish(house.broker, {
      type: 'SigningKeyAdded',
      codec: SigningKeyAdded,
      data: { keyId: KEY_ID, jwk, issuer: ISSUER },
      key: KEY_ID,
    });
    house.personId = world.clock.newId('psn');
    house.admin = await house.person([Role.ROLE_ADMIN], house.personId);
    return house;
  }

  static #jwkOf(house: House) {
    const { x = '', y = '' } = house.#keys.publicKey.export({ format: 'jwk' });
    return { kty: 'EC', crv: 'P-256', x, y };
  }

  get keyFile(): string {
    return join(this.world.folder, 'kek');
  }

  get watch(): WatchRpc {
    return this.broker.app.get(WatchRpc);
  }

  get decisions(): DecisionRpc {
    return this.policy.app.get(DecisionRpc);
  }

  get adminUrl(): string {
    return `postgres://erp_admin:${ADMIN_PASSWORD}@127.0.0.1:${this.erp.port}/erp`;
  }

  async startVault(): Promise<void> {
    const write = (line: string) => this.logged.push(line);
    this.vault = await this.world.service(vaultService, {
      databaseUrl: this.vaultUrl,
      logger: createLogger({ service: 'vault', level: 'debug' }, { write }),
      own: new VaultSettings({
        keyFile: this.keyFile,
        policyEngineAddress: this.policy.address,
        sessionBrokerAddress: this.broker.address,
        tokenIssuer: ISSUER,
        tokenAudience: AUDIENCE,
        scramIterations: 4_096,
        leaseConnections: 5,
      }),
    });
    await this.until(async () => (await this.vault.readiness.failing()).length === 0, 10_000);
  }

  async person(roles: Role[], personId = this.world.clock.newId('psn')): Promise<Identity> {
    await publish(this.registry, {
      type: 'PersonRegistered',
      codec: PersonRegistered,
      data: { personId, roles },
      key: personId,
    });
    return this.world.identity({ kind: 'person', id: personId });
  }

  async agent(wish: { owner?: string; blueprintId?: string } = {}): Promise<TestAgent> {
    const agentId = this.world.clock.newId('agt');
    const data = AgentRegistered.fromPartial({ agentId, owner: 'finance', blueprintId: '', ...wish });
    await publish(this.registry, { type: 'AgentRegistered', codec: AgentRegistered, data, key: agentId });
    return { agentId, identity: await this.world.identity({ kind: 'agent', id: agentId }) };
  }

  /** @param above agents above this one in the chain, from the one below the mandate */
  async session(
    agent: TestAgent,
    wish: { expireSeconds?: number; above?: readonly TestAgent[]; claims?: object } = {},
  ): Promise<TestSession> {
    const { clock } = this.world;
    const at = clock.now();
    const sessionId = clock.newId('ses');
    const mandateId = clock.newId('mdt');
    const above = wish.above ?? [];
    const delegationIds = above.map(() => clock.newId('dlg'));
    const certificateSha256 = agent.identity.current().certificateSha256;
    const data: SessionOpened = {
      sessionId,
      agentId: agent.agentId,
      mandateId,
      delegationIds,
      personId: this.personId,
      task: 'pay invoices',
      purpose: 'September supplier run',
      expireTime: new Date(at.getTime() + (wish.expireSeconds ?? 3_600) * 1000),
      certificateSha256,
    };
    await publish(this.broker, { type: 'SessionOpened', codec: SessionOpened, data, key: agent.agentId });
    const seconds = Math.floor(at.getTime() / 1000);
    const claims = claimsJson({
      iss: ISSUER,
      sub: this.personId,
      aud: [AUDIENCE],
      client_id: agent.agentId,
      iat: seconds,
      exp: seconds + 300,
      jti: clock.newId('tok'),
      sid: sessionId,
      mandate_id: mandateId,
      delegation_ids: delegationIds,
      cnf: { 'x5t#S256': certificateSha256 },
      act: buildAct(
        ISSUER,
        [...above, agent].map(({ agentId }) => agentId),
      ),
      authorization_details: [{ type: 'database', actions: ['lease'] }],
    });
    return { sessionId, agent, token: this.token({ ...claims, ...wish.claims }) };
  }

  /** Signed with the broker's key, unless told which. */
  token(claims: object, key = this.#keys.privateKey): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'ES256', typ: 'at+jwt', kid: KEY_ID })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  async end({ sessionId, agent }: TestSession): Promise<void> {
    const data = { sessionId, agentId: agent.agentId, cause: SessionEndCause.SESSION_END_CAUSE_ENDED };
    await publish(this.broker, { type: 'SessionEnded', codec: SessionEnded, data, key: agent.agentId });
  }

  leases(identity: Identity) {
    return this.world.client(this.vault, LeaseServiceService, identity);
  }

  secrets(identity: Identity) {
    return this.world.client(this.vault, SecretServiceService, identity);
  }

  /** A database role on `erp` with a secret of its own. */
  async databaseRole(wish: { ttlSecondsMax?: number; url?: string } = {}) {
    const name = `erp-${this.world.clock.randomHex(4)}`;
    const secret = await this.secrets(this.admin).createSecret({
      displayName: `admin of ${name}`,
      owner: 'finance',
      value: Buffer.from(wish.url ?? this.adminUrl),
      requestId: '',
    });
    return this.leases(this.admin).defineDatabaseRole({
      displayName: name,
      secretId: secret.secretId,
      memberOf: ['invoice_reader'],
      ttlSecondsMax: wish.ttlSecondsMax ?? 1_800,
      requestId: '',
    });
  }

  /** Logs in on `erp` with a lease. */
  async logIn({ username, password }: { username: string; password: string }): Promise<pg.Pool> {
    const { port } = this.erp;
    const pool = new pg.Pool({ host: '127.0.0.1', port, database: 'erp', user: username, password, max: 1 });
    pool.on('error', () => undefined);
    this.#erpPools.push(pool);
    await pool.query('select 1');
    return pool;
  }

  /** Logins of leases that are on `erp` now. */
  async logins(): Promise<string[]> {
    const rows = await this.sql(`select rolname from pg_roles where rolname like 'writ_lse_%'`);
    return rows.map(({ rolname }) => String(rolname));
  }

  async sql(sql: string, url = this.erpUrl): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows ?? [];
    } finally {
      await client.end();
    }
  }

  /** The types of facts on the stream of a lease, in order. */
  async story(leaseId: string): Promise<string[]> {
    const url = this.world.ownerUrl;
    const rows = await this.sql(
      `select type from vault.event where stream_id = 'lease-${leaseId}' order by version`,
      url,
    );
    return rows.map(({ type }) => String(type));
  }

  async until(holds: () => Promise<boolean>, withinMs = 5_000): Promise<number> {
    const start = this.world.clock.monotonicMs();
    for (;;) {
      const tookMs = this.world.clock.monotonicMs() - start;
      if (await holds()) return tookMs;
      if (tookMs > withinMs) throw new Error(`did not happen within ${withinMs} ms: ${holds}`);
      await delay(5);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#erpPools.map((pool) => pool.end().catch(() => undefined)));
    await this.world.stop();
    await this.erp.stop();
  }
}
