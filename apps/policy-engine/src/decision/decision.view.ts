import { Injectable } from '@nestjs/common';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type Beside, Database, type StoredFact, schemasOf, type Tx, View } from '@writ/event-store';
import { addUses, grantRequests, questionHash, useApprovals } from './reservation.store.js';

const { facts: factSchema, views: viewSchema } = schemasOf('policy-engine');

/** A recorded decision and where it stands. */
export interface RecordedDecision {
  readonly pos: number;
  readonly made: DecisionMade;
}

export interface DecisionFilter {
  readonly sessionId: string;
  readonly agentId: string;
  /** 0 for any. */
  readonly outcome: number;
}

/**
 * Which decisions there are, and what they used up: limits, approvals, request ids. The decisions themselves are read from
 * the facts; here is only what finds them. Everything in it comes back by replay.
 */
@Injectable()
export class DecisionView extends View {
  override readonly name = 'decision';
  override readonly version = 1;
  override readonly tables = `
    create table if not exists ${viewSchema}.decision (
      pos bigint primary key, session_id text not null, agent_id text not null, outcome int not null);
    create index if not exists decision_session on ${viewSchema}.decision (session_id, pos);
    create index if not exists decision_agent on ${viewSchema}.decision (agent_id, pos);
    create table if not exists ${viewSchema}.limit_use (
      key text primary key, currency text, units numeric(30) not null default 0, calls bigint not null default 0)
      with (fillfactor = 20);
    create table if not exists ${viewSchema}.approval_use (approval_id text primary key, decision_id text not null);
    create table if not exists ${viewSchema}.decision_request (
      session_id text not null, request_id text not null, question_hash text not null, decision_id text not null,
      at timestamptz not null, primary key (session_id, request_id));
    create index if not exists decision_request_at on ${viewSchema}.decision_request (at);
  `;

  constructor(private readonly database: Database) {
    super();
  }

  /** Replay. While decisions are made, `DecisionRecorder` does the same for many at once. */
  override async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type !== 'DecisionMade') return;
    const made = DecisionMade.decode(fact.data);
    await tx.query(`${index} values ($1, $2, $3, $4)`, [
      fact.pos,
      made.sessionId,
      made.agentId,
      made.outcome,
    ]);
    if (made.requestId !== '') await grantRequests(tx, [requestOf(made, fact.at)]);
    if (made.outcome !== Outcome.OUTCOME_ALLOW) return;
    await addUses(tx, made.limitUses);
    if (made.approvalId !== '') await useApprovals(tx, [made]);
  }

  async get(decisionId: string): Promise<RecordedDecision | undefined> {
    const [found] = await decisionsById(this.database, [decisionId]);
    return found;
  }

  /** Newest first, below position `below`. */
  async list(filter: DecisionFilter, below: number, limit: number): Promise<readonly RecordedDecision[]> {
    const { sessionId, agentId, outcome } = filter;
    const { rows } = await this.database.query<{ pos: string; data: Buffer }>(
      `select e.pos, e.data from ${viewSchema}.decision d join ${factSchema}.event e on e.pos = d.pos
       where d.pos < $1 and ($2 = '' or d.session_id = $2) and ($3 = '' or d.agent_id = $3) and ($4 = 0 or d.outcome = $4)
       order by d.pos desc limit $5`,
      [below, sessionId, agentId, outcome, limit],
    );
    return rows.map(({ pos, data }) => ({ pos: Number(pos), made: DecisionMade.decode(data) }));
  }
}

/** Of a decision that is recorded under a request id: what a repetition is compared with. */
export function requestOf(made: DecisionMade, at: Date) {
  const { sessionId, requestId, decisionId, actionDigest, approvalId } = made;
  return { sessionId, requestId, decisionId, questionHash: questionHash(actionDigest, approvalId), at };
}

export function decisionStream(decisionId: string): string {
  return `decision-${decisionId}`;
}

const index = `insert into ${viewSchema}.decision (pos, session_id, agent_id, outcome)`;

/** The rows of decisions that are recorded by the same statement, one fact each. */
export function indexBeside(made: readonly DecisionMade[]): Beside {
  return {
    name: 'decision',
    sql: (first) => `${index}
      select fact.pos, d.session_id, d.agent_id, d.outcome
      from unnest($${first}::text[], $${first + 1}::text[], $${first + 2}::int[])
        with ordinality as d (session_id, agent_id, outcome, nth) join fact using (nth)`,
    params: [
      made.map(({ sessionId }) => sessionId),
      made.map(({ agentId }) => agentId),
      made.map(({ outcome }) => outcome),
    ],
  };
}

export async function decisionsById(
  on: Pick<Tx, 'query'>,
  decisionIds: readonly string[],
): Promise<readonly RecordedDecision[]> {
  const { rows } = await on.query<{ pos: string; data: Buffer }>(
    `select pos, data from ${factSchema}.event where stream_id = any($1) and version = 1`,
    [decisionIds.map(decisionStream)],
    'decision.by-id',
  );
  return rows.map(({ pos, data }) => ({ pos: Number(pos), made: DecisionMade.decode(data) }));
}
