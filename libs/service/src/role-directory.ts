import { setTimeout as delay } from 'node:timers/promises';
import {
  PersonLeft,
  PersonRegistered,
  PersonRolesChanged,
  Role as RoleNumber,
} from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { type Database, makeTables, schemasOf, type Tx } from '@writ/event-store';
import type { Role } from './edge.js';
import type { Roles } from './exchange.js';
import type { ServiceName } from './service-name.js';

/** How long a call of an unknown person waits for the fact that tells of them: it may be a few milliseconds behind. */
const waitMsMax = 500;
const askEveryMs = 25;

const roleByNumber: Readonly<Partial<Record<RoleNumber, Role>>> = {
  [RoleNumber.ROLE_ADMIN]: 'admin',
  [RoleNumber.ROLE_OPERATOR]: 'operator',
  [RoleNumber.ROLE_SPONSOR]: 'sponsor',
  [RoleNumber.ROLE_APPROVER]: 'approver',
  [RoleNumber.ROLE_AUDITOR]: 'auditor',
  [RoleNumber.ROLE_SECURITY]: 'security',
};

/**
 * Which roles each person holds, in every service: a table filled from the registry's facts, so that no call has to ask
 * the registry. A person who is unknown or has left holds none.
 */
export class RoleDirectory extends Reactions implements Roles {
  override readonly group: string;
  override readonly sources = ['registry'];
  readonly #schema: string;
  readonly #table: string;

  constructor(
    private readonly database: Database,
    service: ServiceName,
  ) {
    super();
    this.group = `${service}.roles`;
    this.#schema = schemasOf(service).views;
    this.#table = `${this.#schema}.person_role`;
  }

  /** Makes the table. Before the first fact and the first question. */
  async prepare(): Promise<void> {
    const sql = `create table if not exists ${this.#table} (person_id text primary key, roles text[] not null, gone boolean not null default false)`;
    await makeTables({ database: this.database, schema: this.#schema, sql });
  }

  override async handle(fact: ConsumedFact, tx: Tx): Promise<void> {
    switch (fact.fullType) {
      case 'writ.registry.v1.PersonRegistered':
        return this.#set(PersonRegistered.decode(fact.data), tx);
      case 'writ.registry.v1.PersonRolesChanged':
        return this.#set(PersonRolesChanged.decode(fact.data), tx);
      case 'writ.registry.v1.PersonLeft':
        return this.#leave(PersonLeft.decode(fact.data), tx);
      default:
        // The registry's other facts say nothing about roles.
        return;
    }
  }

  async rolesOf(personId: string): Promise<ReadonlySet<Role>> {
    for (let waitedMs = 0; ; waitedMs += askEveryMs) {
      const { rows } = await this.database.query<{ roles: Role[]; gone: boolean }>(
        `select roles, gone from ${this.#table} where person_id = $1`,
        [personId],
        'person_role',
      );
      const [person] = rows;
      if (person !== undefined) return new Set(person.gone ? [] : person.roles);
      if (waitedMs >= waitMsMax) return new Set();
      await delay(askEveryMs);
    }
  }

  async #set(person: { personId: string; roles: readonly RoleNumber[] }, tx: Tx): Promise<void> {
    // A role of a newer contract is unknown here and therefore allows nothing.
    const held = person.roles.flatMap((number) => roleByNumber[number] ?? []);
    await tx.query(
      `insert into ${this.#table} (person_id, roles) values ($1, $2)
       on conflict (person_id) do update set roles = excluded.roles`,
      [person.personId, held],
    );
  }

  async #leave(person: { personId: string }, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${this.#table} (person_id, roles, gone) values ($1, '{}', true)
       on conflict (person_id) do update set roles = '{}', gone = true`,
      [person.personId],
    );
  }
}
