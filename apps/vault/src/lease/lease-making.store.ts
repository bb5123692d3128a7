import { Injectable } from '@nestjs/common';
import { Database, type Migration, type Tx } from '@writ/event-store';

const table = 'vault.lease_making';

/** Made by a migration like the values of secrets: what is in it is in no fact. */
export const leaseMakingMigrations: readonly Migration[] = [
  {
    area: 'lease-making',
    number: 1,
    sql: (_schemas, role) => `
      create table ${table} (lease_id text primary key, give_up_time timestamptz not null);
      create index on ${table} (give_up_time);
      grant select, insert, delete on ${table} to ${role};`,
  },
];

/**
 * Leases that are recorded and whose login is being made right now. A row that outlives its time was left behind: by a
 * process that died between the two, or by a call whose answer came too late for anybody to have the password.
 */
@Injectable()
export class LeaseMaking {
  constructor(private readonly database: Database) {}

  /** In the transaction that records the lease. */
  async begin(tx: Tx, leaseId: string, giveUpTime: Date): Promise<void> {
    await tx.query(`insert into ${table} (lease_id, give_up_time) values ($1, $2)`, [leaseId, giveUpTime]);
  }

  /** Ends the making. False when somebody gave it up in the meantime: then the login MUST NOT be handed out. */
  async end(leaseId: string): Promise<boolean> {
    const { rowCount } = await this.database.query(`delete from ${table} where lease_id = $1`, [leaseId]);
    return rowCount === 1;
  }

  /** Whose time is over at `at`. */
  async overdue(at: Date, limit: number): Promise<string[]> {
    const { rows } = await this.database.query<{ lease_id: string }>(
      `select lease_id from ${table} where give_up_time <= $1 order by give_up_time limit $2`,
      [at, limit],
      'lease_making.overdue',
    );
    return rows.map(({ lease_id }) => lease_id);
  }
}
