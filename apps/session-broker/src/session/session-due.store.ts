import { Injectable } from '@nestjs/common';
import type { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { Database, type Migration, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';

const table = 'session_broker.session_due';
const sessions = 'session_broker_view.session';
const parties = 'session_broker.party_agent';

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

/** A session that is to be ended, and why. */
export interface DueSession {
  readonly sessionId: string;
  readonly agentId: string;
  readonly cause: SessionEndCause;
  /** What caused it, as a call's cause: `fact:registry/12`. */
  readonly because: string;
  readonly traceparent: string;
  readonly tracestate: string;
}

/** Written where the reason arises, emptied where sessions are ended: neither a fact nor a view of any. */
export const sessionDueMigrations: readonly Migration[] = [
  {
    area: 'session-due',
    number: 1,
    sql: (_, role) => `
      create table ${table} (
        session_id text primary key, agent_id text not null, cause int not null, because text not null,
        traceparent text not null, tracestate text not null);
      grant select, insert, update, delete on ${table} to ${role}`,
  },
];

interface DueRow {
  session_id: string;
  agent_id: string;
  cause: number;
  because: string;
  traceparent: string;
  tracestate: string;
}

/**
 * Sessions that are to be ended. A lock on everything affects all of them: to end each appends a fact, and one
 * transaction for all would keep the next lock waiting. So the reason only notes them, by one statement.
 */
@Injectable()
export class SessionsDue {
  constructor(private readonly database: Database) {}

  /**
   * Notes open sessions that something ends, descendants included.
   * @param openedBefore position of the fact that ends them, where it is one of our own: what was opened behind it was
   *   opened in the knowledge of it
   */
  async note(
    { affected, cause, openedBefore }: { affected: Affected; cause: SessionEndCause; openedBefore?: number },
    call: Call,
    tx: Tx,
  ): Promise<void> {
    await tx.query(
      `insert into ${table} (session_id, agent_id, cause, because, traceparent, tracestate)
       select s.session_id, s.agent_id, $2, $3, $4, $5 from ${sessions} s
       where s.end_cause = 0 and s.opened_pos < coalesce($6::bigint, s.opened_pos + 1) and ${conditions[affected.kind]}
       order by s.session_id on conflict do nothing`,
      [
        affected.kind === 'everything' ? '' : affected.id,
        cause,
        call.cause,
        call.traceparent,
        call.tracestate,
        openedBefore ?? null,
      ],
    );
  }

  /** Notes sessions whose time is over. */
  async noteOverdue(cause: SessionEndCause, { at, ...call }: Call): Promise<void> {
    await this.database.query(
      `insert into ${table} (session_id, agent_id, cause, because, traceparent, tracestate)
       select session_id, agent_id, $2, $3, $4, $5 from ${sessions}
       where end_cause = 0 and expire_time <= $1 order by session_id limit 1000 on conflict do nothing`,
      [at, cause, call.cause, call.traceparent, call.tracestate],
    );
  }

  /** Some of them, held for this transaction; those that another replica holds are left to it. */
  async take(limit: number, tx: Tx): Promise<readonly DueSession[]> {
    const { rows } = await tx.query<DueRow>(
      `select * from ${table} order by session_id limit $1 for update skip locked`,
      [limit],
      'due.take',
    );
    return rows.map(({ session_id, agent_id, ...row }) => ({
      ...row,
      sessionId: session_id,
      agentId: agent_id,
    }));
  }

  /** Last in the transaction that ended them: whoever waits for these rows then waits for nothing else. */
  async done(due: readonly DueSession[], tx: Tx): Promise<void> {
    await tx.query(
      `delete from ${table} where session_id = any($1)`,
      [due.map(({ sessionId }) => sessionId)],
      'due.done',
    );
  }
}
