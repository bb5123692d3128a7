import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type LockKind, type Principal, toolsOf } from '@writ/authority';
import type { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { Database, makeTables, type Tx } from '@writ/event-store';
import { LEASE_TYPE } from '../lease/lease-action.js';

/** A session as the vault knows it: who is in its chain, and until when it lives. */
export interface KnownSession {
  readonly sessionId: string;
  readonly agentId: string;
  readonly openTime: Date;
  readonly expireTime: Date;
  readonly ended: boolean;
}

/** An active lease with everyone and everything that a lock may stop it by. */
export interface HeldLease {
  readonly leaseId: string;
  readonly agentId: string;
  readonly databaseRoleId: string;
  readonly sessionOpenTime: Date;
  readonly principals: readonly Principal[];
}

interface HeldRow {
  lease_id: string;
  agent_id: string;
  session_id: string;
  open_time: Date;
  person_id: string;
  mandate_id: string;
  delegation_ids: string[];
  agent_ids: string[];
  owners: string[] | null;
  blueprints: string[] | null;
  database_role_id: string;
  role_name: string;
}

const session = 'vault_view.session';
const agent = 'vault_view.agent';

/** `$1` is the target; a lease that none of these finds is not touched by a lock of that kind. */
const heldBy: Readonly<Record<LockKind, string>> = {
  everything: `$1 = ''`,
  session: 's.session_id = $1',
  agent: '$1 = any(s.agent_ids)',
  person: 's.person_id = $1',
  mandate: 's.mandate_id = $1',
  delegation: '$1 = any(s.delegation_ids)',
  owner: `exists (select from ${agent} a where a.agent_id = any(s.agent_ids) and a.owner = $1)`,
  blueprint: `exists (select from ${agent} a where a.agent_id = any(s.agent_ids) and a.blueprint_id = $1)`,
  tool: `$1 in ('${LEASE_TYPE}', l.database_role_id, r.display_name)`,
};

/**
 * Sessions and agents, from the facts of session-broker and registry. The agents above the acting one come from the token
 * with which the first lease is asked for: it names the whole chain and is signed by the session-broker.
 */
@Injectable()
export class KnownSessions implements OnModuleInit {
  constructor(private readonly database: Database) {}

  /** Makes the tables; before the first fact and the first question. */
  async onModuleInit(): Promise<void> {
    const sql = `
      create table if not exists ${session} (
        session_id text primary key, agent_id text not null, person_id text not null, mandate_id text not null,
        delegation_ids text[] not null, agent_ids text[] not null, open_time timestamptz, expire_time timestamptz,
        ended boolean not null default false);
      create table if not exists ${agent} (agent_id text primary key, owner text not null, blueprint_id text not null)`;
    await makeTables({ database: this.database, schema: 'vault_view', sql });
  }

  async opened(tx: Tx, fact: SessionOpened, at: Date): Promise<void> {
    // `ended` stays: the end of a session may have come first.
    await tx.query(
      `insert into ${session} (session_id, agent_id, person_id, mandate_id, delegation_ids, agent_ids, open_time, expire_time)
       values ($1, $2, $3, $4, $5, array[$2], $6, $7)
       on conflict (session_id) do update set person_id = excluded.person_id, mandate_id = excluded.mandate_id,
         delegation_ids = excluded.delegation_ids, open_time = excluded.open_time, expire_time = excluded.expire_time`,
      [fact.sessionId, fact.agentId, fact.personId, fact.mandateId, fact.delegationIds, at, fact.expireTime],
    );
  }

  /** From here on no lease is recorded for it: `holdLive` waits for this transaction. */
  async ended(tx: Tx, sessionId: string, agentId: string): Promise<void> {
    await tx.query(
      `insert into ${session} (session_id, agent_id, person_id, mandate_id, delegation_ids, agent_ids, ended)
       values ($1, $2, '', '', '{}', array[$2], true) on conflict (session_id) do update set ended = true`,
      [sessionId, agentId],
    );
  }

  async registered(tx: Tx, agentId: string, owner: string, blueprintId: string): Promise<void> {
    await tx.query(`insert into ${agent} values ($1, $2, $3) on conflict do nothing`, [
      agentId,
      owner,
      blueprintId,
    ]);
  }

  /** Undefined until the fact of its opening is here. */
  async find(sessionId: string): Promise<KnownSession | undefined> {
    const { rows } = await this.database.query<{
      agent_id: string;
      open_time: Date;
      expire_time: Date;
      ended: boolean;
    }>(
      `select agent_id, open_time, expire_time, ended from ${session} where session_id = $1 and open_time is not null`,
      [sessionId],
      'session.find',
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const { agent_id: agentId, open_time: openTime, expire_time: expireTime, ended } = row;
    return { sessionId, agentId, openTime, expireTime, ended };
  }

  /** Owners and blueprints of agents; undefined until all of them are known. */
  async kin(agentIds: readonly string[]): Promise<readonly Principal[] | undefined> {
    const { rows } = await this.database.query<{ owner: string; blueprint_id: string }>(
      `select owner, blueprint_id from ${agent} where agent_id = any($1)`,
      [agentIds],
      'agent.kin',
    );
    if (rows.length < new Set(agentIds).size) return undefined;
    return kinPrincipals(
      rows.map(({ owner }) => owner),
      rows.map(({ blueprint_id }) => blueprint_id),
    );
  }

  /**
   * Notes the whole chain of agents and keeps the session from ending until `tx` ends.
   * @returns false when it has ended or expired
   */
  async holdLive(tx: Tx, o: { sessionId: string; agentIds: readonly string[]; at: Date }): Promise<boolean> {
    const { rowCount } = await tx.query(
      `update ${session} set agent_ids = $2 where session_id = $1 and not ended and expire_time > $3`,
      [o.sessionId, o.agentIds, o.at],
      'session.hold',
    );
    return rowCount === 1;
  }

  /** Active leases that a lock on `target` may stop, by ascending id after `after`. */
  async heldBy(kind: LockKind, target: string, after: string, limit: number): Promise<HeldLease[]> {
    const { rows } = await this.database.query<HeldRow>(
      `select l.lease_id, l.agent_id, l.database_role_id, r.display_name as role_name, s.session_id, s.open_time,
         s.person_id, s.mandate_id, s.delegation_ids, s.agent_ids, k.owners, k.blueprints
       from vault_view.lease l join vault_view.database_role r using (database_role_id) join ${session} s using (session_id)
       left join lateral (select array_agg(owner) as owners, array_agg(blueprint_id) as blueprints from ${agent} a
         where a.agent_id = any(s.agent_ids)) k on true
       where l.status = 'active' and l.lease_id > $2 and ${heldBy[kind]} order by l.lease_id limit $3`,
      [target, after, limit],
      `session.held-by-${kind}`,
    );
    return rows.map(heldLease);
  }
}

function heldLease(row: HeldRow): HeldLease {
  return {
    leaseId: row.lease_id,
    agentId: row.agent_id,
    databaseRoleId: row.database_role_id,
    sessionOpenTime: row.open_time,
    principals: [
      { kind: 'session', id: row.session_id },
      { kind: 'person', id: row.person_id },
      { kind: 'mandate', id: row.mandate_id },
      ...row.delegation_ids.map((id): Principal => ({ kind: 'delegation', id })),
      ...row.agent_ids.map((id): Principal => ({ kind: 'agent', id })),
      ...kinPrincipals(row.owners ?? [], row.blueprints ?? []),
      ...toolsOf({ type: LEASE_TYPE, location: row.role_name, identifier: row.database_role_id }),
    ],
  };
}

function kinPrincipals(owners: readonly string[], blueprintIds: readonly string[]): readonly Principal[] {
  return [
    ...owners.map((id): Principal => ({ kind: 'owner', id })),
    ...blueprintIds.filter((id) => id !== '').map((id): Principal => ({ kind: 'blueprint', id })),
  ];
}
