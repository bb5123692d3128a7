import { Injectable } from '@nestjs/common';
import { DatabaseRoleDefined } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import { refuse } from './database-role.js';

export interface DatabaseRoleRow {
  readonly databaseRoleId: string;
  readonly displayName: string;
  readonly secretId: string;
  readonly memberOf: readonly string[];
  readonly ttlSecondsMax: number;
  readonly defineTime: Date;
  readonly etag: string;
}

interface RawRow {
  database_role_id: string;
  display_name: string;
  secret_id: string;
  member_of: string[];
  ttl_seconds_max: number;
  define_time: Date;
  stream_version: number;
}

const table = 'vault_view.database_role';

/** Every database role. Names are unique: they are the location of the action that a lease is decided as. */
@Injectable()
export class DatabaseRoleView extends View {
  readonly name = 'database_role';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    database_role_id text primary key, display_name text not null unique, secret_id text not null,
    member_of text[] not null, ttl_seconds_max int not null, define_time timestamptz not null,
    stream_version int not null)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type !== 'DatabaseRoleDefined') return;
    const role = DatabaseRoleDefined.decode(fact.data);
    const { rowCount } = await tx.query(
      `insert into ${table} values ($1, $2, $3, $4, $5, $6, $7) on conflict (display_name) do nothing`,
      [
        role.databaseRoleId,
        role.displayName,
        role.secretId,
        role.memberOf,
        role.ttlSecondsMax,
        fact.at,
        fact.version,
      ],
    );
    if (rowCount === 0)
      throw refuse(
        'DATABASE_ROLE_NAME_TAKEN',
        `a database role is named \`${role.displayName}\` already; choose another name`,
      );
  }

  async find(databaseRoleId: string): Promise<DatabaseRoleRow | undefined> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where database_role_id = $1`,
      [databaseRoleId],
      'database_role.find',
    );
    return rows[0] && roleRow(rows[0]);
  }

  /** @throws Refusal DATABASE_ROLE_UNKNOWN */
  async get(databaseRoleId: string): Promise<DatabaseRoleRow> {
    const role = await this.find(databaseRoleId);
    if (role === undefined) throw refuse('DATABASE_ROLE_UNKNOWN', `no database role \`${databaseRoleId}\``);
    return role;
  }

  /** At most `limit` roles by ascending id after `after`. */
  async list(after: string | undefined, limit: number): Promise<DatabaseRoleRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where database_role_id > $1 order by database_role_id limit $2`,
      [after ?? '', limit],
    );
    return rows.map(roleRow);
  }
}

function roleRow(row: RawRow): DatabaseRoleRow {
  return {
    databaseRoleId: row.database_role_id,
    displayName: row.display_name,
    secretId: row.secret_id,
    memberOf: row.member_of,
    ttlSecondsMax: row.ttl_seconds_max,
    defineTime: row.define_time,
    etag: String(row.stream_version),
  };
}
