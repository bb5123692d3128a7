import { Injectable } from '@nestjs/common';
import {
  ApprovalDenied,
  ApprovalExpired,
  ApprovalGranted,
  ApprovalRequested,
  ApprovalUsed,
  ApprovalVoted,
  ApprovalWithdrawn,
} from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import type { ApprovalStatus } from './approval.js';

export interface CastVote {
  readonly personId: string;
  readonly approve: boolean;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export interface ApprovalRow {
  readonly approvalId: string;
  readonly status: ApprovalStatus;
  readonly request: ApprovalRequested;
  readonly votes: readonly CastVote[];
  readonly requestedAt: Date;
  readonly etag: string;
  readonly pos: number;
}

interface RawRow {
  approval_id: string;
  status: ApprovalStatus;
  request: unknown;
  votes: CastVote[];
  requested_at: Date;
  version: number;
  pos: string;
}

/** What a decision asks of people, as far as an approval that is open may serve it. */
export interface Need {
  readonly sessionId: string;
  readonly actionDigest: string;
  readonly policySetId: string;
  /** Different approvers, at least. */
  readonly quorum: number;
  readonly at: Date;
}

/** Which approvals a question is about; what is absent does not narrow. */
export interface ApprovalFilter {
  readonly status?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
}

const table = 'approvals_view.approval';
const statusAfter: Readonly<Record<string, { status: ApprovalStatus; idOf(data: Uint8Array): string }>> = {
  ApprovalGranted: { status: 'granted', idOf: (data) => ApprovalGranted.decode(data).approvalId },
  ApprovalDenied: { status: 'denied', idOf: (data) => ApprovalDenied.decode(data).approvalId },
  ApprovalExpired: { status: 'expired', idOf: (data) => ApprovalExpired.decode(data).approvalId },
  ApprovalWithdrawn: { status: 'withdrawn', idOf: (data) => ApprovalWithdrawn.decode(data).approvalId },
  ApprovalUsed: { status: 'used', idOf: (data) => ApprovalUsed.decode(data).approvalId },
};

/** Every approval with its votes. */
@Injectable()
export class ApprovalView extends View {
  readonly name = 'approval';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    approval_id text primary key, status text not null, decision_id text not null, session_id text not null,
    agent_id text not null, person_id text not null, policy_set_id text not null, action_digest text not null,
    expire_time timestamptz not null, requested_at timestamptz not null, request jsonb not null,
    votes jsonb not null default '[]', version int not null, pos bigint not null);
    create index if not exists approval_open on ${table} (expire_time) where status in ('pending', 'granted');
    create index if not exists approval_session on ${table} (session_id)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type === 'ApprovalRequested') return this.#insert(ApprovalRequested.decode(fact.data), fact, tx);
    if (fact.type === 'ApprovalVoted') return this.#vote(ApprovalVoted.decode(fact.data), fact, tx);
    const after = statusAfter[fact.type];
    if (after === undefined) throw new Error(`view \`approval\` knows no fact \`${fact.type}\``);
    await tx.query(`update ${table} set status = $2, version = $3, pos = $4 where approval_id = $1`, [
      after.idOf(fact.data),
      after.status,
      fact.version,
      fact.pos,
    ]);
  }

  async find(approvalId: string): Promise<ApprovalRow | undefined> {
    return (await this.#select('approval_id = $1', [approvalId], 1))[0];
  }

  /** An open approval of the same action in the same session that the engine would take for this decision. */
  async openFor(
    { sessionId, actionDigest, policySetId, quorum, at }: Need,
    tx: Tx,
  ): Promise<string | undefined> {
    const { rows } = await tx.query<{ approval_id: string }>(
      `select approval_id from ${table}
       where session_id = $1 and action_digest = $2 and policy_set_id = $3 and (request->>'quorum')::int >= $4
         and expire_time > $5 and status in ('pending', 'granted')
       order by expire_time desc, approval_id limit 1`,
      [sessionId, actionDigest, policySetId, quorum, at],
    );
    return rows[0]?.approval_id;
  }

  /** Ids of open approvals where `column` has `value`, or has another one. */
  async open(
    column: 'session_id' | 'agent_id' | 'person_id',
    value: string,
    tx: Tx,
  ): Promise<readonly string[]> {
    return this.#ids(`${column} = $1`, [value], tx);
  }

  async openUnderOtherPolicies(policySetId: string, tx: Tx): Promise<readonly string[]> {
    return this.#ids('policy_set_id <> $1', [policySetId], tx);
  }

  async allOpen(tx: Tx): Promise<readonly string[]> {
    return this.#ids('true', [], tx);
  }

  /** Ids of open approvals whose time is over. */
  async overdue(at: Date): Promise<readonly string[]> {
    const { rows } = await this.database.query<{ approval_id: string }>(
      `select approval_id from ${table} where status in ('pending', 'granted') and expire_time <= $1 limit 500`,
      [at],
    );
    return rows.map(({ approval_id }) => approval_id);
  }

  async list(after: string | undefined, limit: number, filter: ApprovalFilter): Promise<ApprovalRow[]> {
    const columns = { status: filter.status, agent_id: filter.agentId, session_id: filter.sessionId };
    const set = Object.entries(columns).filter(([, value]) => value !== undefined && value !== '');
    const where = ['approval_id > $1', ...set.map(([column], index) => `${column} = $${index + 2}`)].join(
      ' and ',
    );
    return this.#select(where, [after ?? '', ...set.map(([, value]) => value)], limit);
  }

  async #ids(condition: string, values: readonly unknown[], tx: Tx): Promise<readonly string[]> {
    const { rows } = await tx.query<{ approval_id: string }>(
      `select approval_id from ${table} where status in ('pending', 'granted') and ${condition} order by approval_id`,
      values,
    );
    return rows.map(({ approval_id }) => approval_id);
  }

  async #select(where: string, values: readonly unknown[], limit: number): Promise<ApprovalRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where ${where} order by approval_id limit ${limit}`,
      values,
    );
    return rows.map((raw) => ({
      approvalId: raw.approval_id,
      status: raw.status,
      request: ApprovalRequested.fromJSON(raw.request),
      votes: raw.votes,
      requestedAt: raw.requested_at,
      etag: String(raw.version),
      pos: Number(raw.pos),
    }));
  }

  async #insert(request: ApprovalRequested, fact: StoredFact, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${table} (approval_id, status, decision_id, session_id, agent_id, person_id, policy_set_id,
         action_digest, expire_time, requested_at, request, version, pos)
       values ($1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        request.approvalId,
        request.decisionId,
        request.sessionId,
        request.agentId,
        request.personId,
        request.policySetId,
        request.actionDigest,
        request.expireTime,
        fact.at,
        JSON.stringify(ApprovalRequested.toJSON(request)),
        fact.version,
        fact.pos,
      ],
    );
  }

  async #vote(
    { approvalId, personId, approve, reason }: ApprovalVoted,
    fact: StoredFact,
    tx: Tx,
  ): Promise<void> {
    const vote: CastVote = { personId, approve, reason, atMs: fact.at.getTime() };
    await tx.query(
      `update ${table} set votes = votes || $2::jsonb, version = $3, pos = $4 where approval_id = $1`,
      [approvalId, JSON.stringify([vote]), fact.version, fact.pos],
    );
  }
}
