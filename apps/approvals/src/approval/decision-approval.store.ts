import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, makeTables, schemasOf, type Tx } from '@writ/event-store';

const { views: schema } = schemasOf('approvals');
const table = `${schema}.decision_approval`;

/** Which approval each decision led to; several decisions of the same action lead to one. */
@Injectable()
export class DecisionApprovals implements OnModuleInit {
  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    const sql = `create table if not exists ${table} (decision_id text primary key, approval_id text not null)`;
    await makeTables({ database: this.database, schema, sql });
  }

  async put(tx: Tx, decisionId: string, approvalId: string): Promise<void> {
    await tx.query(`insert into ${table} values ($1, $2)`, [decisionId, approvalId]);
  }

  async approvalOf(decisionId: string): Promise<string | undefined> {
    const { rows } = await this.database.query<{ approval_id: string }>(
      `select approval_id from ${table} where decision_id = $1`,
      [decisionId],
    );
    return rows[0]?.approval_id;
  }
}
