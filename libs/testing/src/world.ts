import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateBus } from '@writ/event-bus';
import { migrate } from '@writ/event-store';
import {
  type ClientOf,
  connect,
  createLogger,
  createTrustDomain,
  type Definition,
  formatSpiffeId,
  type Identity,
  issuedIdentity,
  type RunningService,
  Secret,
  type ServiceDefinition,
  type SpiffeId,
  type StartSettings,
  SystemClock,
  serviceSpiffeId,
  startService,
  type TrustDomain,
} from '@writ/service';
import { startPostgres, type TestPostgres } from './postgres.js';

const TRUST_DOMAIN = 'writ.test';
const DAY_SECONDS = 86_400;

/**
 * A place for real services: one PostgreSQL with the carrier in it, one trust domain, mutual TLS on free ports of
 * 127.0.0.1. What a test starts here ends with `stop`.
 */
export class World {
  readonly clock = new SystemClock();
  readonly #running: RunningService[] = [];
  readonly #clients: { close(): void }[] = [];

  private constructor(
    readonly postgres: TestPostgres,
    /** Of the database that all services share, as its owner. */
    readonly ownerUrl: string,
    readonly trust: TrustDomain,
    /** Holds the folder `trust` of the certificate authority; a test may put its own files beside it. */
    readonly folder: string,
  ) {}

  static async start(): Promise<World> {
    const postgres = await startPostgres();
    const folder = await mkdtemp(join(tmpdir(), 'writ-world-'));
    const trust = await createTrustDomain({
      name: TRUST_DOMAIN,
      dir: join(folder, 'trust'),
      clock: new SystemClock(),
    });
    return new World(postgres, await postgres.database('writ'), trust, folder);
  }

  get trustDomainDir(): string {
    return join(this.folder, 'trust');
  }

  /** Makes the schemas and the role of a service and answers the role's URL. */
  async databaseOf({ name, migrations }: Pick<ServiceDefinition, 'name' | 'migrations'>): Promise<string> {
    const runtimeRole = `writ_${name.replaceAll('-', '_')}`;
    const password = randomBytes(16).toString('hex');
    await migrate({
      ownerUrl: this.ownerUrl,
      service: name,
      runtimeRole,
      password,
      migrations: migrations ?? [],
    });
    await migrateBus({ ownerUrl: this.ownerUrl, runtimeRole });
    const url = new URL(this.ownerUrl);
    url.username = runtimeRole;
    url.password = password;
    return url.href;
  }

  /** Starts a service as `main.ts` would, on a free port. */
  async service(
    definition: ServiceDefinition,
    settings: Partial<StartSettings> = {},
  ): Promise<RunningService> {
    const running = await startService(definition, {
      identity: await this.identity({ kind: 'service', id: definition.name }),
      listen: '127.0.0.1:0',
      httpListen: '127.0.0.1:0',
      databaseUrl: settings.databaseUrl ?? new Secret(await this.databaseOf(definition)),
      bus: { carrier: 'postgres' },
      logger: createLogger({ service: definition.name, level: 'error' }),
      ...settings,
    });
    this.#running.push(running);
    return running;
  }

  /** A certificate of the trust domain with a key of its own. */
  async identity(who: Omit<SpiffeId, 'trustDomain'>): Promise<Identity> {
    const spiffeId = formatSpiffeId({ trustDomain: TRUST_DOMAIN, ...who });
    return issuedIdentity({ trustDomain: this.trust, spiffeId, ttlSeconds: DAY_SECONDS, clock: this.clock });
  }

  /** A client of a running service, as somebody. */
  client<Def extends Definition>(
    service: RunningService,
    definition: Def,
    identity: Identity,
  ): ClientOf<Def> {
    const { address, name } = service;
    const client = connect({
      identity,
      address,
      serverSpiffeId: serviceSpiffeId(TRUST_DOMAIN, name),
      definition,
      clock: this.clock,
    });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const running of this.#running.toReversed()) await running.stop();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
