import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, type Identity, saveIdentity, serviceSpiffeId } from '@writ/service';
import { payment, type Worker } from '../../../apps/policy-engine/test/asking.js';
import { House } from '../../../apps/policy-engine/test/house.js';
import { type ClientOptions, type DecisionClient, openClient, type Question } from '../src/index.js';
import { Wire } from './wire.js';

export const TRUST_DOMAIN = 'writ.test';
export const ENGINE_SPIFFE_ID = serviceSpiffeId(TRUST_DOMAIN, 'policy-engine');

/** One line of the engine's log about a call. */
export interface LoggedCall {
  /** `Decide` or `DecideBatch`. */
  readonly method: string;
  readonly status: string;
  readonly reason: string;
  readonly traceId: string;
}

type Wish = Partial<Omit<ClientOptions, 'trustDomain' | 'serverSpiffeId' | 'identity' | 'identityDir'>> & {
  readonly identityDir?: string;
  readonly serverSpiffeId?: string;
};

/**
 * A real policy engine on real PostgreSQL that writes down every call it answers, a wire to it that a test can cut, and
 * an agent at work. Clients are those of an enforcement point unless they say otherwise.
 */
export class EngineHouse {
  readonly calls: LoggedCall[] = [];
  readonly #clients: DecisionClient[] = [];
  worker!: Worker;

  private constructor(
    readonly house: House,
    readonly wire: Wire,
    readonly pointDir: string,
  ) {}

  static async build(): Promise<EngineHouse> {
    const house = await House.build();
    const wire = await Wire.to(() => house.engine.address);
    const built = new EngineHouse(house, wire, join(house.world.folder, 'point'));
    await saveIdentity(built.pointDir, house.gateway.current());
    await house.engine.stop();
    await built.startEngine('127.0.0.1:0');
    built.worker = await house.worker();
    return built;
  }

  /** Starts the engine, again or for the first time. */
  async startEngine(listen = this.house.engine.address): Promise<void> {
    const logger = createLogger(
      { service: 'policy-engine', level: 'debug' },
      { write: (line) => this.#read(line) },
    );
    this.house.engine = await this.house.startEngine({ settings: { listen, logger } });
  }

  /** Methods of the calls since the last look. */
  methods(): string[] {
    return this.calls.splice(0).map(({ method }) => method);
  }

  async client(wish: Wish = {}): Promise<DecisionClient> {
    const { serverSpiffeId = ENGINE_SPIFFE_ID, identityDir = this.pointDir, ...rest } = wish;
    const address = this.wire.address;
    const client = await openClient({ address, serverSpiffeId, identityDir, deadlineMs: 10_000, ...rest });
    this.#clients.push(client);
    return client;
  }

  /** A folder with somebody's certificate, key and roots. */
  async folderOf(identity: Identity): Promise<string> {
    const dir = await mkdtemp(join(this.house.world.folder, 'identity-'));
    await saveIdentity(dir, identity.current());
    return dir;
  }

  question(amount = '1', wish: Partial<Question> = {}, worker = this.worker): Question {
    const { location, identifier } = payment(amount);
    return {
      token: worker.token,
      presentedCertificateSha256: worker.identity.current().certificateSha256,
      action: {
        type: 'payment',
        name: 'pay',
        location,
        identifier,
        amount: { currency: 'EUR', value: amount },
      },
      ...wish,
    };
  }

  /** How many decisions are on disk. */
  async recorded(): Promise<number> {
    const text = `select count(*)::int as count from policy_engine.event where type = 'DecisionMade'`;
    const [row] = await this.house.sql<{ count: number }>(text);
    return row?.count ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close(0)));
    await this.wire.close();
    await this.house.stop();
  }

  #read(line: string): void {
    const { msg, method = '', status = '', reason = '', traceId = '' } = JSON.parse(line);
    if (typeof msg === 'string' && msg.startsWith('call '))
      this.calls.push({ method: method.slice(method.lastIndexOf('/') + 1), status, reason, traceId });
  }
}
