import { Database, migrate, PostgresEventStore, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { testCall } from '@writ/testing/call.js';
import { startPostgres } from '@writ/testing/postgres.js';
import type { Bus, BusLog } from '../src/bus.js';
import type { ConsumedFact } from '../src/cloud-event.js';
import { FactConsumer } from '../src/fact-consumer.js';
import { migrateBus } from '../src/postgres-schema.js';
import { type OpaqueRecord, Reactions } from '../src/reactions.js';
import { Relay } from '../src/relay.js';

const password = 'only-for-tests';

/** Writes down each effect; nothing stops a second one but the consumer. */
export class Effects extends Reactions {
  readonly group = 'effects';
  /** What goes wrong, when a test wants it to. */
  fault: (fact: ConsumedFact, tx: Tx) => Promise<void> = async () => undefined;

  constructor(
    readonly sources: readonly string[],
    private readonly views: string,
  ) {
    super();
  }

  override async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    if (call.cause !== `fact:${fact.source}/${fact.pos}`) throw new Error('another call');
    await this.fault(fact, tx);
    await tx.query(`insert into ${this.views}.effect (pos, stream, version, data) values ($1, $2, $3, $4)`, [
      fact.pos,
      fact.streamId,
      fact.version,
      Buffer.from(fact.data).toString(),
    ]);
  }

  override async handleOpaque(record: OpaqueRecord, tx: Tx): Promise<void> {
    await tx.query(`insert into ${this.views}.effect (pos, stream, version, data) values (0, $1, 0, $2)`, [
      `${record.partition}/${record.offset}`,
      record.reason,
    ]);
  }
}

/** One real PostgreSQL with a schema for every service that a test names. */
export class World {
  readonly logged: string[] = [];
  readonly log: BusLog = (_, message) => void this.logged.push(message);
  private readonly open: Database[] = [];
  private pairs = 0;

  private constructor(
    private readonly postgres: Awaited<ReturnType<typeof startPostgres>>,
    private readonly url: string,
    readonly admin: Database,
  ) {}

  static async start(settings: { durable?: boolean } = {}): Promise<World> {
    const postgres = await startPostgres(settings);
    const url = await postgres.database('writ');
    return new World(postgres, url, new Database({ url, applicationName: 'admin' }));
  }

  async stop(): Promise<void> {
    for (const database of [...this.open, this.admin]) await database.close();
    await this.postgres.stop();
  }

  async crashAndRecover(): Promise<void> {
    await this.postgres.crash();
    await this.postgres.startAgain();
  }

  async service(name: string): Promise<Database> {
    await migrate({ ownerUrl: this.url, service: name, runtimeRole: name, password });
    await migrateBus({ ownerUrl: this.url, runtimeRole: name });
    return this.connect(name);
  }

  connect(name: string): Database {
    const url = Object.assign(new URL(this.url), { username: name, password }).href;
    const database = new Database({ url, applicationName: name });
    this.open.push(database);
    return database;
  }

  /** A service with facts and one that reacts to them, new in each test. */
  async pair() {
    this.pairs += 1;
    const source = `source${this.pairs}`;
    const sink = `sink${this.pairs}`;
    const sourceDatabase = await this.service(source);
    const sinkDatabase = await this.service(sink);
    const views = `${sink}_view`;
    await sinkDatabase.query(
      `create table ${views}.effect (n serial, pos bigint, stream text, version int, data text)`,
    );
    return new Pair(this, source, sink, sourceDatabase, sinkDatabase, views);
  }
}

export interface Effect {
  pos: number;
  stream: string;
  version: number;
  data: string;
}

export class Pair {
  readonly store: PostgresEventStore;
  readonly reactions: Effects;

  constructor(
    private readonly world: World,
    readonly source: string,
    readonly sink: string,
    readonly sourceDatabase: Database,
    readonly sinkDatabase: Database,
    readonly views: string,
  ) {
    this.store = new PostgresEventStore({ database: sourceDatabase, service: source });
    this.reactions = new Effects([source], views);
  }

  relay(bus: Bus): Relay {
    const { source, sourceDatabase, store } = this;
    return new Relay({
      service: source,
      area: 'source',
      database: sourceDatabase,
      store,
      bus,
      log: this.world.log,
    });
  }

  consumer(bus: Bus, reactions: Reactions = this.reactions, database = this.sinkDatabase): FactConsumer {
    return new FactConsumer({
      service: this.sink,
      database,
      bus,
      reactions,
      callFor: ({ source, pos }) => testCall({ cause: `fact:${source}/${pos}` }),
      log: this.world.log,
    });
  }

  /** One more fact for each of these agents, the data being its place in the agent's stream. */
  async append(...agents: readonly string[]): Promise<void> {
    for (const agent of agents) {
      const version = (await this.store.read(agent)).length;
      await this.store.append([
        {
          streamId: agent,
          kind: 'agent',
          partKey: agent,
          expected: version,
          facts: [{ type: 'AgentSuspended', data: Buffer.from(String(version + 1)) }],
          call: testCall(),
        },
      ]);
    }
  }

  /** In the order in which they took place. */
  async effects(): Promise<Effect[]> {
    const { rows } = await this.sinkDatabase.query<Effect>(
      `select pos::int as pos, stream, version, data from ${this.views}.effect order by n`,
    );
    return rows;
  }

  async count(): Promise<number> {
    return (await this.effects()).length;
  }
}

/** Each fact once, and the facts of each agent in their order. */
export function onceAndInOrder(effects: readonly Effect[], head: number): string[] {
  const wrong: string[] = [];
  const positions = effects.map(({ pos }) => pos).sort((a, b) => a - b);
  for (let pos = 1; pos <= head; pos += 1) {
    const times = positions.filter((each) => each === pos).length;
    if (times !== 1) wrong.push(`fact ${pos} took effect ${times} times`);
  }
  const versions = new Map<string, number>();
  for (const { stream, version } of effects) {
    if (version !== (versions.get(stream) ?? 0) + 1) wrong.push(`${stream}:${version} out of order`);
    versions.set(stream, version);
  }
  return wrong;
}
