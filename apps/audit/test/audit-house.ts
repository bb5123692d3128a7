import { setTimeout as delay } from 'node:timers/promises';
import { LedgerServiceService, type VerifyLedgerResponse } from '@writ/contracts/writ/audit/v1/ledger.js';
import { PersonRegistered, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import {
  type Bus,
  factsTopic,
  factsTopicSpec,
  PostgresBus,
  partitionOf,
  Relay,
  recordOf,
} from '@writ/event-bus';
import { Database, PostgresEventStore, type StoredFact } from '@writ/event-store';
import {
  areaOf,
  type ClientOf,
  createLogger,
  type RunningService,
  Secret,
  type ServiceDefinition,
  type ServiceName,
  SystemClock,
} from '@writ/service';
import { testCall } from '@writ/testing/call.js';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { AuditSettings, auditService } from '../src/audit.module.js';

export type LedgerClient = ClientOf<typeof LedgerServiceService>;

export const auditorId = 'psn_01K41M7JG00000000000000AVD';
export const agentId = 'agt_01K41M7JG00000000000000AGT';

interface Message<T> {
  readonly type: string;
  readonly codec: { encode(message: T): { finish(): Uint8Array } };
}

/** A service that does nothing but record facts: its own store, relay and carrier. */
export class Source {
  private constructor(
    readonly name: ServiceName,
    readonly database: Database,
    readonly store: PostgresEventStore,
    readonly bus: Bus,
    readonly relay: Relay,
  ) {}

  static async open(world: World, name: ServiceName): Promise<Source> {
    const url = await world.databaseOf({ name });
    const database = new Database({
      url,
      applicationName: `${name} source`,
      onConnectionLost: () => undefined,
    });
    const store = new PostgresEventStore({ database, service: name });
    const bus = new PostgresBus(database, () => undefined);
    await bus.ensureTopics([factsTopicSpec(name)]);
    const relay = new Relay({
      service: name,
      area: areaOf(name),
      database,
      store,
      bus,
      log: () => undefined,
    });
    return new Source(name, database, store, bus, relay);
  }

  /** Appends facts of one stream and answers them as stored. */
  async record<T>(message: Message<T>, streamId: string, ...facts: readonly T[]): Promise<StoredFact[]> {
    return this.store.append([
      {
        streamId,
        kind: 'thing',
        partKey: streamId,
        expected: 'any',
        facts: facts.map((fact) => ({ type: message.type, data: message.codec.encode(fact).finish() })),
        call: testCall({
          actor: auditorId,
          cause: 'a-test',
          traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
        }),
      },
    ]);
  }

  /** Puts facts on the bus by hand, in the order given. */
  async publish(facts: readonly StoredFact[]): Promise<void> {
    const topic = factsTopic(this.name);
    for (const fact of facts) {
      const partition = partitionOf(fact.partKey, this.bus.partitionsOf(topic));
      await this.bus.publish(topic, partition, [recordOf(this.name, areaOf(this.name), fact)]);
    }
  }

  async stop(): Promise<void> {
    await this.relay.stop();
    await this.bus.close();
    await this.database.close();
  }
}

/** The machine's clock, whose monotonic hand a test can move on. */
class TestClock extends SystemClock {
  aheadMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.aheadMs;
  }
}

/** The audit service, real, with everything around it that it needs. */
export class AuditHouse {
  readonly sources = new Map<ServiceName, Source>();
  readonly clock = new TestClock();
  /** What audit services have logged, one JSON object each. */
  readonly logged: string[] = [];

  private constructor(
    readonly world: World,
    public databaseUrl: string,
    readonly owner: pg.Pool,
  ) {}

  static async open(definition: ServiceDefinition = auditService): Promise<AuditHouse> {
    const world = await World.start();
    const owner = new pg.Pool({ connectionString: world.ownerUrl, max: 4 });
    owner.on('error', () => undefined);
    // Test servers commit without waiting for the log; what a crash must not lose has to be in it.
    await owner.query('alter database writ set synchronous_commit = on');
    const house = new AuditHouse(world, await world.databaseOf(definition), owner);
    const registry = await house.source('registry');
    const person = PersonRegistered.fromPartial({ personId: auditorId, roles: [Role.ROLE_AUDITOR] });
    await registry.record(
      { type: 'PersonRegistered', codec: PersonRegistered },
      `person-${auditorId}`,
      person,
    );
    return house;
  }

  /** Brings the tables to where today's audit service wants them. */
  async migrate(): Promise<void> {
    this.databaseUrl = await this.world.databaseOf(auditService);
  }

  async source(name: ServiceName): Promise<Source> {
    const source = this.sources.get(name) ?? (await Source.open(this.world, name));
    this.sources.set(name, source);
    return source;
  }

  async start(own: { siemFileDir?: string; siemTopic?: boolean } = {}): Promise<RunningService> {
    const settings = {
      siemTopic: false,
      siemFileDir: undefined,
      siemFileBytes: 64 << 20,
      siemFiles: 10,
      ...own,
    };
    return this.world.service(auditService, {
      databaseUrl: new Secret(this.databaseUrl),
      own: new AuditSettings(settings),
      clock: this.clock,
      logger: createLogger(
        { service: 'audit', level: 'info' },
        { write: (line) => void this.logged.push(line) },
      ),
    });
  }

  async client(running: RunningService, personId = auditorId): Promise<LedgerClient> {
    return this.world.client(
      running,
      LedgerServiceService,
      await this.world.identity({ kind: 'person', id: personId }),
    );
  }

  async size(): Promise<number> {
    return Number((await this.ask<{ size: string }>('select size from ledger.state'))[0]?.size);
  }

  async ask<R>(sql: string, params: unknown[] = []): Promise<R[]> {
    return (await this.owner.query(sql, params)).rows;
  }

  /** Cuts every connection of the audit service, in the middle of whatever it does. */
  async cut(): Promise<void> {
    await this.ask(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'audit%'`,
    );
  }

  async close(): Promise<void> {
    for (const source of this.sources.values()) await source.stop();
    await this.owner.end();
    await this.world.stop();
  }
}

export async function until(holds: () => Promise<boolean>, what: string, seconds = 20): Promise<void> {
  for (let waitedMs = 0; !(await holds()); waitedMs += 20) {
    if (waitedMs > seconds * 1_000) throw new Error(`waited ${seconds} s for: ${what}`);
    await delay(20);
  }
}

/** Verifies over gRPC and answers the last message and every fault. */
export async function verified(client: LedgerClient, fromIndex = 0n) {
  const faults: [number, string][] = [];
  let last: VerifyLedgerResponse | undefined;
  for await (const step of client.verifyLedger({ fromIndex }) as AsyncIterable<VerifyLedgerResponse>) {
    faults.push(...step.faults.map(({ index, kind }): [number, string] => [Number(index), kind]));
    last = step;
  }
  return { faults, last };
}
