import { Injectable } from '@nestjs/common';
import {
  LeaseIssued,
  LeaseRenewed,
  LeaseRevocationFailed,
  LeaseRevocationStarted,
  LeaseRevoked,
  type RevokeCause,
} from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import { type Lease, refuse, retrySeconds } from './lease.js';

export type LeaseStatus = Exclude<Lease['status'], 'unknown'>;

export interface LeaseRow {
  readonly leaseId: string;
  readonly databaseRoleId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly decisionId: string;
  readonly approvalId: string;
  readonly username: string;
  readonly secretVersion: number;
  /** Where the login is; empty when that was not recorded yet. */
  readonly databaseSha256: string;
  readonly status: LeaseStatus;
  /** 0 while nobody asked to revoke it. */
  readonly revokeCause: RevokeCause;
  /** How often revoking failed. */
  readonly failures: number;
  readonly lastFailure: string;
  readonly issueTime: Date;
  readonly expireTime: Date;
  readonly etag: string;
}

interface RawRow {
  lease_id: string;
  database_role_id: string;
  session_id: string;
  agent_id: string;
  decision_id: string;
  approval_id: string;
  username: string;
  secret_version: number;
  database_sha256: string;
  status: LeaseStatus;
  revoke_cause: RevokeCause;
  failures: number;
  last_failure: string;
  issue_time: Date;
  expire_time: Date;
  stream_version: number;
}

/** Which leases a list is about; what is empty does not narrow. */
export interface LeaseFilter {
  readonly sessionId: string;
  readonly agentId: string;
  readonly status: LeaseStatus | '';
}

const table = 'vault_view.lease';

/** Every lease, and when which of them is due: to expire, to be revoked, to be tried again. */
@Injectable()
export class LeaseView extends View {
  readonly name = 'lease';
  readonly version = 2;
  readonly tables = `create table if not exists ${table} (
    lease_id text primary key, database_role_id text not null, session_id text not null, agent_id text not null,
    decision_id text not null, approval_id text not null, username text not null, status text not null,
    secret_version int not null default 0, database_sha256 text not null default '',
    revoke_cause int not null default 0, failures int not null default 0, last_failure text not null default '',
    issue_time timestamptz not null, expire_time timestamptz not null, retry_time timestamptz,
    stream_version int not null) with (fillfactor = 80);
    create index if not exists lease_active on ${table} (expire_time) where status = 'active';
    create index if not exists lease_due on ${table} (retry_time) where status in ('revoking', 'revocation-failed');
    create index if not exists lease_session on ${table} (session_id)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    switch (fact.type) {
      case 'LeaseIssued':
        return this.#insert(LeaseIssued.decode(fact.data), fact, tx);
      case 'LeaseRenewed': {
        const { leaseId, expireTime } = LeaseRenewed.decode(fact.data);
        return this.#update(leaseId, fact, tx, 'expire_time = $3', [expireTime]);
      }
      case 'LeaseRevocationStarted': {
        const { leaseId, cause } = LeaseRevocationStarted.decode(fact.data);
        const set = `status = 'revoking', revoke_cause = $3, retry_time = $4`;
        return this.#update(leaseId, fact, tx, set, [cause, fact.at]);
      }
      case 'LeaseRevocationFailed': {
        const { leaseId, attempt, failure } = LeaseRevocationFailed.decode(fact.data);
        const retryTime = new Date(fact.at.getTime() + retrySeconds(attempt) * 1000);
        const set = `status = 'revocation-failed', failures = $3, last_failure = $4, retry_time = $5`;
        return this.#update(leaseId, fact, tx, set, [attempt, failure, retryTime]);
      }
      case 'LeaseRevoked': {
        const { leaseId } = LeaseRevoked.decode(fact.data);
        return this.#update(leaseId, fact, tx, `status = 'revoked', retry_time = null`, []);
      }
      default:
        return;
    }
  }

  async find(leaseId: string): Promise<LeaseRow | undefined> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where lease_id = $1`,
      [leaseId],
      'lease.find',
    );
    return rows[0] && leaseRow(rows[0]);
  }

  /** @throws Refusal LEASE_UNKNOWN */
  async get(leaseId: string): Promise<LeaseRow> {
    const lease = await this.find(leaseId);
    if (lease === undefined) throw refuse('LEASE_UNKNOWN', `no lease \`${leaseId}\``);
    return lease;
  }

  /** At most `limit` leases by ascending id after `after`. */
  async list(after: string | undefined, limit: number, filter: LeaseFilter): Promise<LeaseRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where lease_id > $1 and ($3 = '' or session_id = $3) and ($4 = '' or agent_id = $4)
       and ($5 = '' or status = $5) order by lease_id limit $2`,
      [after ?? '', limit, filter.sessionId, filter.agentId, filter.status],
    );
    return rows.map(leaseRow);
  }

  /** Of one session and still active, as of now in `tx`. */
  async activeOf(tx: Tx, sessionId: string): Promise<LeaseRow[]> {
    const { rows } = await tx.query<RawRow>(
      `select * from ${table} where session_id = $1 and status = 'active'`,
      [sessionId],
    );
    return rows.map(leaseRow);
  }

  /** Active ones whose time is over at `at`, the longest overdue first. */
  async expired(at: Date, limit: number): Promise<LeaseRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where status = 'active' and expire_time <= $1 order by expire_time limit $2`,
      [at, limit],
      'lease.expired',
    );
    return rows.map(leaseRow);
  }

  /** Those whose revocation is to be tried at `at`, at most `limit` of each database role: none crowds out the others. */
  async due(at: Date, limit: number): Promise<LeaseRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from (
         select *, row_number() over (partition by database_role_id order by retry_time) as place from ${table}
         where status in ('revoking', 'revocation-failed') and retry_time <= $1) due
       where place <= $2 order by retry_time`,
      [at, limit],
      'lease.due',
    );
    return rows.map(leaseRow);
  }

  async #insert(lease: LeaseIssued, fact: StoredFact, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${table} (lease_id, database_role_id, session_id, agent_id, decision_id, approval_id, username,
         status, issue_time, expire_time, stream_version, secret_version, database_sha256)
       values ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $9, $10, $11, $12)`,
      [
        lease.leaseId,
        lease.databaseRoleId,
        lease.sessionId,
        lease.agentId,
        lease.decisionId,
        lease.approvalId,
        lease.username,
        fact.at,
        lease.expireTime,
        fact.version,
        lease.secretVersion,
        lease.databaseSha256,
      ],
    );
  }

  async #update(
    leaseId: string,
    fact: StoredFact,
    tx: Tx,
    set: string,
    values: readonly unknown[],
  ): Promise<void> {
    await tx.query(`update ${table} set stream_version = $2, ${set} where lease_id = $1`, [
      leaseId,
      fact.version,
      ...values,
    ]);
  }
}

function leaseRow(row: RawRow): LeaseRow {
  return {
    leaseId: row.lease_id,
    databaseRoleId: row.database_role_id,
    sessionId: row.session_id,
    agentId: row.agent_id,
    decisionId: row.decision_id,
    approvalId: row.approval_id,
    username: row.username,
    secretVersion: row.secret_version,
    databaseSha256: row.database_sha256,
    status: row.status,
    revokeCause: row.revoke_cause,
    failures: row.failures,
    lastFailure: row.last_failure,
    issueTime: row.issue_time,
    expireTime: row.expire_time,
    etag: String(row.stream_version),
  };
}
