import { Injectable } from '@nestjs/common';
import {
  SessionEndCause,
  SessionEnded,
  SessionOpened,
} from '@writ/contracts/writ/session/v1/session_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import type { Sight } from '../sight.js';

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

/** Every session, with all agents of its chain. */
@Injectable()
export class SessionView extends View {
  readonly name = 'session';
  readonly version = 2;
  readonly tables = `create table if not exists ${table} (
    session_id text primary key, agent_id text not null, agent_ids text[] not null, mandate_id text not null,
    delegation_ids text[] not null, person_id text not null, end_cause int not null default 0,
    expire_time timestamptz not null, opened jsonb not null, opened_at timestamptz not null, version int not null,
    opened_pos bigint not null, pos bigint not null);
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

  async find(sessionId: string, on: Pick<Tx, 'query'> = this.database): Promise<SessionRow | undefined> {
    const { rows } = await on.query<RawRow>(
      `select * from ${table} where session_id = $1`,
      [sessionId],
      'session.find',
    );
    return rows[0] && rowOf(rows[0]);
  }

  async list(
    after: string | undefined,
    limit: number,
    filter: { agentId: string; mandateId: string; state: 'any' | 'open' | 'ended' },
    sight: Sight,
  ): Promise<SessionRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table}
       where session_id > $1 and ($3 = '' or agent_id = $3) and ($4 = '' or mandate_id = $4)
         and ($5 = 'any' or (end_cause = 0) = ($5 = 'open'))
         and ($6 = '' or agent_id = $6) and ($7 = '' or person_id = $7) order by session_id limit $2`,
      [after ?? '', limit, filter.agentId, filter.mandateId, filter.state, sight.agentId, sight.personId],
    );
    return rows.map(rowOf);
  }

  async #open(opened: SessionOpened, fact: StoredFact, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${table} (session_id, agent_id, agent_ids, mandate_id, delegation_ids, person_id, expire_time, opened, opened_at, version, opened_pos, pos)
       values ($1, $2,
         array(select agent_id from ${mandates} where mandate_id = $3)
           || array(select delegate_id from ${delegations} where delegation_id = any($4::text[])),
         $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
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
