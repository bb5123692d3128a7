import { Injectable } from '@nestjs/common';
import {
  SessionEndCause,
  SessionEnded,
  SessionOpened,
} from '@writ/contracts/writ/session/v1/session_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';

export interface SessionRow {
  readonly opened: SessionOpened;
  readonly endCause: SessionEndCause;
  readonly openedAt: Date;
  readonly etag: string;
  /** Of the newest fact of the session. */
  readonly pos: number;
}

interface RawRow {
  opened: unknown;
  end_cause: number;
  opened_at: Date;
  version: number;
  pos: string;
}

const table = 'session_broker_view.session';
const delegations = 'session_broker_view.delegation';
const mandates = 'session_broker_view.mandate';
const parties = 'session_broker_view.party_agent';

/** Which open sessions something ends. */
export type Affected =
  | {
      readonly kind: 'session' | 'agent' | 'blueprint' | 'owner' | 'person' | 'mandate' | 'delegation';
      readonly id: string;
    }
  | { readonly kind: 'everything' };

const conditions: Readonly<Record<Affected['kind'], string>> = {
  session: 's.session_id = $1',
  agent: '$1 = any(s.agent_ids)',
  blueprint: `exists (select from ${parties} p where p.agent_id = any(s.agent_ids) and p.blueprint_id = $1)`,
  owner: `exists (select from ${parties} p where p.agent_id = any(s.agent_ids) and p.owner = $1)`,
  person: 's.person_id = $1',
  mandate: 's.mandate_id = $1',
  delegation: '$1 = any(s.delegation_ids)',
  everything: '$1 = $1',
};

/** Every session, with all agents of its chain. */
@Injectable()
export class SessionView extends View {
  readonly name = 'session';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    session_id text primary key, agent_id text not null, agent_ids text[] not null, mandate_id text not null,
    delegation_ids text[] not null, person_id text not null, end_cause int not null default 0,
    expire_time timestamptz not null, opened jsonb not null, opened_at timestamptz not null, version int not null,
    pos bigint not null);
    create index if not exists session_open on ${table} (expire_time) where end_cause = 0;
    create index if not exists session_agent on ${table} (agent_id)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type === 'SessionOpened') return this.#open(SessionOpened.decode(fact.data), fact, tx);
    if (fact.type === 'SessionEnded') {
      const { sessionId, cause } = SessionEnded.decode(fact.data);
      await tx.query(`update ${table} set end_cause = $2, version = $3, pos = $4 where session_id = $1`, [
        sessionId,
        cause,
        fact.version,
        fact.pos,
      ]);
    }
  }

  async find(sessionId: string): Promise<SessionRow | undefined> {
    const { rows } = await this.database.query<RawRow>(`select * from ${table} where session_id = $1`, [
      sessionId,
    ]);
    return rows[0] && rowOf(rows[0]);
  }

  async list(
    after: string | undefined,
    limit: number,
    filter: { agentId: string; mandateId: string; state: 'any' | 'open' | 'ended' },
  ): Promise<SessionRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table}
       where session_id > $1 and ($3 = '' or agent_id = $3) and ($4 = '' or mandate_id = $4)
         and ($5 = 'any' or (end_cause = 0) = ($5 = 'open')) order by session_id limit $2`,
      [after ?? '', limit, filter.agentId, filter.mandateId, filter.state],
    );
    return rows.map(rowOf);
  }

  /** Ids of open sessions that something ends, descendants included. */
  async openUnder(affected: Affected, tx: Tx): Promise<readonly string[]> {
    const { rows } = await tx.query<{ session_id: string }>(
      `select s.session_id from ${table} s where s.end_cause = 0 and ${conditions[affected.kind]} order by s.session_id`,
      [affected.kind === 'everything' ? '' : affected.id],
    );
    return rows.map(({ session_id }) => session_id);
  }

  async overdue(at: Date): Promise<readonly string[]> {
    const { rows } = await this.database.query<{ session_id: string }>(
      `select session_id from ${table} where end_cause = 0 and expire_time <= $1 order by session_id limit 500`,
      [at],
    );
    return rows.map(({ session_id }) => session_id);
  }

  async #open(opened: SessionOpened, fact: StoredFact, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${table} (session_id, agent_id, agent_ids, mandate_id, delegation_ids, person_id, expire_time, opened, opened_at, version, pos)
       values ($1, $2,
         array(select agent_id from ${mandates} where mandate_id = $3)
           || array(select delegate_id from ${delegations} where delegation_id = any($4::text[])),
         $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        opened.sessionId,
        opened.agentId,
        opened.mandateId,
        opened.delegationIds,
        opened.personId,
        opened.expireTime,
        JSON.stringify(SessionOpened.toJSON(opened)),
        fact.at,
        fact.version,
        fact.pos,
      ],
    );
  }
}

function rowOf({ opened, end_cause, opened_at, version, pos }: RawRow): SessionRow {
  return {
    opened: SessionOpened.fromJSON(opened),
    endCause: end_cause,
    openedAt: opened_at,
    etag: String(version),
    pos: Number(pos),
  };
}
