import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  AgentAttested,
  AgentKeyRotated,
  AgentOrphaned,
  AgentProvenanceChanged,
  AgentRegistered,
  AgentReinstated,
  AgentRetired,
  AgentSponsorChanged,
  AgentSuspended,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonLeft, PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { ConsumedFact } from '@writ/event-bus';
import { Database, type Migration, type Tx } from '@writ/event-store';

/** An agent as far as sessions depend on it. */
export interface PartyAgent {
  readonly agentId: string;
  readonly jwk: string;
  readonly owner: string;
  readonly blueprintId: string;
  readonly retired: boolean;
  /** Attested, not suspended, not orphaned, not retired. */
  readonly active: boolean;
}

const agents = 'session_broker.party_agent';
const people = 'session_broker.party_person';
/** How long a call waits for the registry's fact about an agent it names: it may be a few milliseconds behind. */
const WAIT_MS_MAX = 500;
const ASK_EVERY_MS = 20;

/** What other services told: consumed once, hence no read model that a replay of our own facts could fill. */
export const partyMigrations: readonly Migration[] = [
  {
    area: 'party',
    number: 1,
    sql: (_, role) => `
      create table ${agents} (
        agent_id text primary key, jwk text not null, owner text not null, blueprint_id text not null,
        attested bool not null default false, suspended bool not null default false,
        orphaned bool not null default false, retired bool not null default false);
      create table ${people} (person_id text primary key, active bool not null default true);
      grant select, insert, update on ${agents}, ${people} to ${role}`,
  },
];

type Change = (data: Uint8Array) => { sql: string; params: readonly unknown[] };

const set = (columns: string, agentId: string, ...params: unknown[]) => ({
  sql: `update ${agents} set ${columns} where agent_id = $1`,
  params: [agentId, ...params],
});

const changes: Readonly<Record<string, Change>> = {
  'writ.registry.v1.AgentRegistered': (data) => {
    const { agentId, jwk, owner, blueprintId } = AgentRegistered.decode(data);
    return {
      sql: `insert into ${agents} (agent_id, jwk, owner, blueprint_id) values ($1, $2, $3, $4) on conflict do nothing`,
      params: [agentId, jwk, owner, blueprintId],
    };
  },
  'writ.registry.v1.AgentAttested': (data) => set('attested = true', AgentAttested.decode(data).agentId),
  'writ.registry.v1.AgentProvenanceChanged': (data) =>
    set('attested = false', AgentProvenanceChanged.decode(data).agentId),
  'writ.registry.v1.AgentSponsorChanged': (data) =>
    set('attested = false, orphaned = false', AgentSponsorChanged.decode(data).agentId),
  'writ.registry.v1.AgentOrphaned': (data) =>
    set('attested = false, orphaned = true', AgentOrphaned.decode(data).agentId),
  'writ.registry.v1.AgentSuspended': (data) => set('suspended = true', AgentSuspended.decode(data).agentId),
  'writ.registry.v1.AgentReinstated': (data) =>
    set('suspended = false', AgentReinstated.decode(data).agentId),
  'writ.registry.v1.AgentRetired': (data) => set('retired = true', AgentRetired.decode(data).agentId),
  'writ.registry.v1.AgentKeyRotated': (data) => {
    const { agentId, jwk } = AgentKeyRotated.decode(data);
    return set('jwk = $2', agentId, jwk);
  },
  'writ.registry.v1.PersonRegistered': (data) => ({
    sql: `insert into ${people} (person_id) values ($1) on conflict do nothing`,
    params: [PersonRegistered.decode(data).personId],
  }),
  'writ.registry.v1.PersonLeft': (data) => ({
    sql: `insert into ${people} (person_id, active) values ($1, false) on conflict (person_id) do update set active = false`,
    params: [PersonLeft.decode(data).personId],
  }),
};

interface AgentRow {
  agent_id: string;
  jwk: string;
  owner: string;
  blueprint_id: string;
  retired: boolean;
  active: boolean;
}

/** Who takes part: agents and people, known from the registry's facts. */
@Injectable()
export class PartyDirectory {
  constructor(private readonly database: Database) {}

  /** Facts about anything else (roles, scores, certificates) change nothing about who may open a session. */
  async record(fact: ConsumedFact, tx: Tx): Promise<void> {
    const change = changes[fact.fullType]?.(fact.data);
    if (change !== undefined) await tx.query(change.sql, change.params);
  }

  /** Those of the agents that are known. */
  async agents(
    agentIds: readonly string[],
    on: Pick<Tx, 'query'> = this.database,
  ): Promise<ReadonlyMap<string, PartyAgent>> {
    const { rows } = await on.query<AgentRow>(
      `select agent_id, jwk, owner, blueprint_id, retired,
         attested and not suspended and not orphaned and not retired as active
       from ${agents} where agent_id = any($1)`,
      [agentIds],
      'party.agents',
    );
    return new Map(rows.map((row) => [row.agent_id, agentOf(row)]));
  }

  /** The agent, waited for while nothing is known of it. */
  async agentSoon(agentId: string): Promise<PartyAgent | undefined> {
    return (await this.#soon([agentId], (agent) => agent !== undefined)).get(agentId);
  }

  /** The agents, waited for while one is not known or not active: it may have been attested or reinstated just now. */
  async activeSoon(agentIds: readonly string[]): Promise<ReadonlyMap<string, PartyAgent>> {
    return this.#soon(agentIds, (agent) => agent?.active === true || agent?.retired === true);
  }

  /** Whether a person may be at the root of a session. Nobody who is unknown may. */
  async isActivePerson(personId: string, on: Pick<Tx, 'query'> = this.database): Promise<boolean> {
    const { rows } = await on.query<{ active: boolean }>(
      `select active from ${people} where person_id = $1`,
      [personId],
      'party.person',
    );
    return rows[0]?.active ?? false;
  }

  async #soon(
    agentIds: readonly string[],
    suffices: (agent: PartyAgent | undefined) => boolean,
  ): Promise<ReadonlyMap<string, PartyAgent>> {
    for (let waitedMs = 0; ; waitedMs += ASK_EVERY_MS) {
      const found = await this.agents(agentIds);
      if (waitedMs >= WAIT_MS_MAX || agentIds.every((agentId) => suffices(found.get(agentId)))) return found;
      await delay(ASK_EVERY_MS);
    }
  }
}

function agentOf({ agent_id, jwk, owner, blueprint_id, retired, active }: AgentRow): PartyAgent {
  return { agentId: agent_id, jwk, owner, blueprintId: blueprint_id, retired, active };
}
