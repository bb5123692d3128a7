import { Injectable } from '@nestjs/common';
import { type Migration, schemasOf, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';

const { facts, views } = schemasOf('registry');
const table = `${facts}.agent_due`;

/** An agent that is to be orphaned, and why. */
export interface DueAgent {
  readonly agentId: string;
  /** The sponsor who has left. */
  readonly personId: string;
  /** What caused it, as a call's cause: `fact:registry/12`. */
  readonly because: string;
  readonly traceparent: string;
  readonly tracestate: string;
}

interface DueRow {
  agent_id: string;
  person_id: string;
  because: string;
  traceparent: string;
  tracestate: string;
}

/** Written where the reason arises, emptied where agents are orphaned: neither a fact nor a view of any. */
export const agentDueMigrations: readonly Migration[] = [
  {
    area: 'agent-due',
    number: 1,
    sql: (_, role) => `
      create table ${table} (
        agent_id text, person_id text, because text not null, traceparent text not null, tracestate text not null,
        primary key (agent_id, person_id));
      grant select, insert, update, delete on ${table} to ${role}`,
  },
];

/**
 * Agents whose sponsor has left. To orphan each appends a fact, and one transaction for all of a sponsor's would keep
 * every other change waiting. So the reason only notes them, by one statement.
 */
@Injectable()
export class AgentsDue {
  /** Notes the agents that a person answers for and that are not retired. */
  async note(personId: string, call: Call, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${table} (agent_id, person_id, because, traceparent, tracestate)
       select id, $1, $2, $3, $4 from ${views}.agent
       where sponsor_id = $1 and status <> 'retired' order by id on conflict do nothing`,
      [personId, call.cause, call.traceparent, call.tracestate],
    );
  }

  /** Some of them, held for this transaction; those that another replica holds are left to it. */
  async take(limit: number, tx: Tx): Promise<readonly DueAgent[]> {
    const { rows } = await tx.query<DueRow>(
      `select * from ${table} order by agent_id limit $1 for update skip locked`,
      [limit],
      'agent-due.take',
    );
    return rows.map(({ agent_id, person_id, ...row }) => ({
      ...row,
      agentId: agent_id,
      personId: person_id,
    }));
  }

  /** Last in the transaction that orphaned them: whoever waits for these rows then waits for nothing else. */
  async done(due: readonly DueAgent[], tx: Tx): Promise<void> {
    await tx.query(
      `delete from ${table} where (agent_id, person_id) in (select * from unnest($1::text[], $2::text[]))`,
      [due.map(({ agentId }) => agentId), due.map(({ personId }) => personId)],
      'agent-due.done',
    );
  }
}
