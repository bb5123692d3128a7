import { createPrivateKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AuditSettings } from '@writ/audit/audit.module.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { schemasOf } from '@writ/event-store';
import { PolicyEngineSettings } from '@writ/policy-engine/policy-engine.settings.js';
import { RegistrySettings } from '@writ/registry/registry.module.js';
import {
  createLogger,
  formatSpiffeId,
  Identity,
  type IdentityMaterial,
  newMaterial,
  type RunningService,
  Secret,
  type SuiteRecord,
} from '@writ/service';
import { BrokerSettings } from '@writ/session-broker/broker-settings.js';
import { World } from '@writ/testing/world.js';
import { createKeyFile } from '@writ/vault/secret/file-kek.provider.js';
import { VaultSettings } from '@writ/vault/vault.settings.js';
import { type Clients, clientsOf } from '@writ/writd/suite/clients.js';
import { definitions } from '@writ/writd/suite/definitions.js';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '@writ/writd/suite/environment.js';
import { type SuiteService, suiteServices } from '@writ/writd/suite/suite.js';
import { type Keys, type Member, newKeys } from '@writ/writd/walk/cast.js';
import pg from 'pg';

export const WORLD_DOMAIN = 'writ.test';
const CERTIFICATE_SECONDS = 3_600;
const ARRIVAL_MS_MAX = 30_000;
/** For calls that only prepare a test: how fast they are on a busy machine is no question here. */
export const patient = { deadlineMs: 20_000 } as const;

/** Somebody who calls: with a certificate, a signing key, and clients of every service. */
export interface Party extends Member {
  readonly keys: Keys;
}

/** All six services on one PostgreSQL, each with its own role, schema, certificate and port, as they run for a customer. */
export class WholeSuite {
  readonly running = new Map<SuiteService, RunningService>();
  /** Of each service's own role, with the password in it. */
  readonly databaseUrls = new Map<SuiteService, string>();
  /** Certificates and private keys of the services. */
  readonly materials: IdentityMaterial[] = [];
  readonly #clients: Clients[] = [];
  readonly #pool: pg.Pool;
  admin!: Party;

  private constructor(
    readonly world: World,
    private readonly write: ((line: string) => void) | undefined,
  ) {
    this.#pool = new pg.Pool({ connectionString: world.ownerUrl, max: 4 });
    this.#pool.on('error', () => undefined);
  }

  /** @param write gets every log line of every service, from level `debug` on; nothing below `error` is made without it */
  static async start(write?: (line: string) => void): Promise<WholeSuite> {
    const suite = new WholeSuite(await World.start(), write);
    try {
      await createKeyFile(suite.inside('kek'), (count) => randomBytes(count));
      for (const service of suiteServices) await suite.#start(service);
      const bootstrap = await suite.party('bootstrap', 'bootstrap');
      suite.admin = await suite.person([Role.ROLE_ADMIN, Role.ROLE_OPERATOR, Role.ROLE_SECURITY], bootstrap);
      await suite.until('ready', async () => {
        const failing = await Promise.all([...suite.running.values()].map((one) => one.readiness.failing()));
        return failing.flat().length === 0;
      });
      return suite;
    } catch (cause) {
      await suite.stop();
      throw cause;
    }
  }

  get record(): SuiteRecord {
    return {
      trustDomain: WORLD_DOMAIN,
      endpoints: Object.fromEntries([...this.running].map(([name, { address }]) => [name, address])),
      carrier: 'postgres',
      others: { issuer: TOKEN_ISSUER, audience: TOKEN_AUDIENCE },
      startedAt: '',
      pid: process.pid,
    };
  }

  inside(name: string): string {
    return join(this.world.folder, name);
  }

  service(name: SuiteService): RunningService {
    const running = this.running.get(name);
    if (running === undefined) throw new Error(`\`${name}\` does not run yet`);
    return running;
  }

  async party(kind: 'person' | 'agent' | 'enforcement-point' | 'bootstrap', id: string, keys = newKeys()) {
    const identity = await this.world.identity({ kind, id });
    const clients = clientsOf(this.record, identity);
    this.#clients.push(clients);
    const signingKey = createPrivateKey(keys.signingKeyPem);
    return { name: id, id, identity, keys, signingKey, keyId: keys.keyId, clients } satisfies Party;
  }

  /** Registers a person with a signing key. Whether every service knows them is for `until` to say. */
  async person(roles: Role[], by: Party = this.admin): Promise<Party> {
    const keys = newKeys();
    const request = { displayName: 'somebody', roles, jwk: keys.jwk, requestId: '' };
    const { personId } = await by.clients.people.registerPerson(request, patient);
    return this.party('person', personId, keys);
  }

  /** Facts that each service has recorded so far, and the entries of the ledger. */
  async heads(): Promise<Record<string, number>> {
    const heads: Record<string, number> = {};
    for (const service of suiteServices) {
      const [row] = await this.sql<{ pos: string }>(`select pos from ${schemasOf(service).facts}.head`);
      heads[service] = Number(row?.pos);
    }
    const [ledger] = await this.sql<{ size: string }>('select size from ledger.state');
    return { ...heads, ledger: Number(ledger?.size) };
  }

  /** Waits until the ledger holds every fact there is, which is when nothing is on its way any more. */
  async settled(): Promise<void> {
    let before = '';
    await this.until('quiet', async () => {
      const { ledger, ...services } = await this.heads();
      const now = JSON.stringify(services);
      const quiet = now === before && ledger === Object.values(services).reduce((sum, pos) => sum + pos, 0);
      before = now;
      if (!quiet) await delay(200);
      return quiet;
    });
  }

  /** As the owner of the database. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + ARRIVAL_MS_MAX;
    while (!(await holds())) {
      if (Date.now() > giveUpAt) throw new Error(`waited ${ARRIVAL_MS_MAX} ms in vain: ${what}`);
      await delay(25);
    }
  }

  async stop(): Promise<void> {
    for (const clients of this.#clients) clients.close();
    await this.#pool.end();
    await this.world.stop();
  }

  async #start(service: SuiteService): Promise<void> {
    const definition = definitions[service];
    const url = await this.world.databaseOf(definition);
    this.databaseUrls.set(service, url);
    const spiffeId = formatSpiffeId({ trustDomain: WORLD_DOMAIN, kind: 'service', id: service });
    const wish = { trustDomain: this.world.trust, spiffeId, ttlSeconds: CERTIFICATE_SECONDS };
    const material = await newMaterial(wish);
    this.materials.push(material);
    const { write } = this;
    const running = await this.world.service(definition, {
      identity: new Identity(material),
      databaseUrl: new Secret(url),
      own: this.#own(service),
      ...(write === undefined ? {} : { logger: createLogger({ service, level: 'debug' }, { write }) }),
    });
    this.running.set(service, running);
  }

  #own(service: SuiteService): object | undefined {
    const tokens = { tokenIssuer: TOKEN_ISSUER, tokenAudience: TOKEN_AUDIENCE };
    switch (service) {
      case 'registry':
        return new RegistrySettings({ trustDomainDir: this.world.trustDomainDir });
      case 'session-broker':
        return new BrokerSettings({ ...tokens, signingKeyFile: this.inside('token-signing.pem') });
      case 'policy-engine': {
        const sessionBrokerAddress = this.service('session-broker').address;
        return new PolicyEngineSettings({
          ...tokens,
          sessionBrokerAddress,
          factsAgeMsMax: 3_000,
          cedarShadowOneIn: 1,
        });
      }
      case 'vault':
        return new VaultSettings({
          ...tokens,
          keyFile: this.inside('kek'),
          sessionBrokerAddress: this.service('session-broker').address,
          policyEngineAddress: this.service('policy-engine').address,
          scramIterations: 4_096,
          leaseConnections: 5,
        });
      case 'audit': {
        const siem = { siemTopic: true, siemFileBytes: 1024 * 1024, siemFiles: 10 };
        return new AuditSettings({ ...siem, siemFileDir: this.inside('siem') });
      }
      case 'approvals':
        return undefined;
      default:
        throw new Error(`no settings for \`${service satisfies never}\``);
    }
  }
}
