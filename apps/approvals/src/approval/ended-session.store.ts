import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, makeTables, schemasOf, type Tx } from '@writ/event-store';

const { views: schema } = schemasOf('approvals');
const table = `${schema}.ended_session`;
/** Decisions come late by seconds, not by days. */
const KEPT = '2 days';

/** Sessions that have ended: what was decided in them may arrive after their end, for it travels by another way. */
@Injectable()
export class EndedSessions implements OnModuleInit {
  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    const sql = `create table if not exists ${table} (session_id text primary key, cause int not null, ended_at timestamptz not null)`;
    await makeTables({ database: this.database, schema, sql });
  }

  async put(tx: Tx, sessionId: string, cause: number, endedAt: Date): Promise<void> {
    await tx.query(`delete from ${table} where ended_at < $1::timestamptz - interval '${KEPT}'`, [endedAt]);
    await tx.query(`insert into ${table} values ($1, $2, $3) on conflict do nothing`, [
      sessionId,
      cause,
      endedAt,
    ]);
  }

  /** Why the session ended; undefined while it has not. */
  async causeOf(tx: Tx, sessionId: string): Promise<number | undefined> {
    const { rows } = await tx.query<{ cause: number }>(`select cause from ${table} where session_id = $1`, [
      sessionId,
    ]);
    return rows[0]?.cause;
  }
}
