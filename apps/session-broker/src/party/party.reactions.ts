import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type OnModuleInit } from '@nestjs/common';
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
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { Database, type Tx } from '@writ/event-store';

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

const agents = 'session_broker_view.party_agent';
const people = 'session_broker_view.party_person';
/** How long a call waits for the registry's fact about an agent it names: it may be a few milliseconds behind. */
const WAIT_MS_MAX = 500;
const ASK_EVERY_MS = 20;

type Change = (data: Uint8Array) => { sql: string; params: readonly unknown[] };

const set = (columns: string, agentId: string, ...params: unknown[]) => ({
  sql: `update ${agents} set ${columns} where agent_id = $1`,
  params: [agentId, ...params],
});

const changes: Readonly<Record<string, Change>> = {
  AgentRegistered: (data) => {
    const { agentId, keyId, jwk, owner, blueprintId } = AgentRegistered.decode(data);
    return {
      sql: `insert into ${agents} (agent_id, key_id, jwk, owner, blueprint_id) values ($1, $2, $3, $4, $5) on conflict do nothing`,
      params: [agentId, keyId, jwk, owner, blueprintId],
    };
  },
  AgentAttested: (data) => set('attested = true', AgentAttested.decode(data).agentId),
  AgentProvenanceChanged: (data) => set('attested = false', AgentProvenanceChanged.decode(data).agentId),
  AgentSponsorChanged: (data) =>
    set('attested = false, orphaned = false', AgentSponsorChanged.decode(data).agentId),
  AgentOrphaned: (data) => set('attested = false, orphaned = true', AgentOrphaned.decode(data).agentId),
  AgentSuspended: (data) => set('suspended = true', AgentSuspended.decode(data).agentId),
  AgentReinstated: (data) => set('suspended = false', AgentReinstated.decode(data).agentId),
  AgentRetired: (data) => set('retired = true', AgentRetired.decode(data).agentId),
  AgentKeyRotated: (data) => {
    const { agentId, keyId, jwk } = AgentKeyRotated.decode(data);
    return set('key_id = $2, jwk = $3', agentId, keyId, jwk);
  },
  PersonRegistered: (data) => ({
    sql: `insert into ${people} (person_id) values ($1) on conflict do nothing`,
    params: [PersonRegistered.decode(data).personId],
  }),
  PersonLeft: (data) => ({
    sql: `insert into ${people} (person_id, active) values ($1, false) on conflict (person_id) do update set active = false`,
    params: [PersonLeft.decode(data).personId],
  }),
};

/** Who takes part: agents and people, known from the registry's facts. */
@Injectable()
export class PartyDirectory extends Reactions implements OnModuleInit {
  readonly group = 'session-broker.party';
  readonly sources = ['registry'];

  constructor(private readonly database: Database) {
    super();
  }

  async onModuleInit(): Promise<void> {
    await this.database.query(
      `create table if not exists ${agents} (
         agent_id text primary key, key_id text not null, jwk text not null, owner text not null, blueprint_id text not null,
         attested bool not null default false, suspended bool not null default false,
         orphaned bool not null default false, retired bool not null default false);
       create table if not exists ${people} (person_id text primary key, active bool not null default true)`,
    );
  }

  async handle(fact: ConsumedFact, tx: Tx): Promise<void> {
    const change = fact.fullType.startsWith('writ.registry.v1.') ? changes[fact.type] : undefined;
    // The registry's other facts (roles, scores, certificates) change nothing about who may open a session.
    if (change === undefined) return;
    const { sql, params } = change(fact.data);
    await tx.query(sql, params);
  }

  async agent(agentId: string): Promise<PartyAgent | undefined> {
    const { rows } = await this.database.query<{
      jwk: string;
      owner: string;
      blueprint_id: string;
      retired: boolean;
      active: boolean;
    }>(
      `select jwk, owner, blueprint_id, retired, attested and not suspended and not orphaned and not retired as active
       from ${agents} where agent_id = $1`,
      [agentId],
    );
    const [row] = rows;
    return (
      row && {
        agentId,
        jwk: row.jwk,
        owner: row.owner,
        blueprintId: row.blueprint_id,
        retired: row.retired,
        active: row.active,
      }
    );
  }

  /** The agent, waited for while nothing is known of it, or while it is not active and may just have been attested. */
  async agentSoon(agentId: string): Promise<PartyAgent | undefined> {
    for (let waitedMs = 0; ; waitedMs += ASK_EVERY_MS) {
      const agent = await this.agent(agentId);
      if (agent?.active || agent?.retired || waitedMs >= WAIT_MS_MAX) return agent;
      await delay(ASK_EVERY_MS);
    }
  }

  /** Whether a person may be at the root of a session. Nobody who is unknown may. */
  async isActivePerson(personId: string): Promise<boolean> {
    const { rows } = await this.database.query<{ active: boolean }>(
      `select active from ${people} where person_id = $1`,
      [personId],
    );
    return rows[0]?.active ?? false;
  }
}
