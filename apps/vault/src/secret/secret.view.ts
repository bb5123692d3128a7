import { Injectable } from '@nestjs/common';
import {
  SecretCreated,
  SecretVersionAdded,
  SecretVersionDestroyed,
} from '@writ/contracts/writ/vault/v1/secret_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import { refusals } from '@writ/kernel';

export const refuseName = refusals({ SECRET_NAME_TAKEN: 'conflict' });

export interface SecretVersionRow {
  readonly version: number;
  readonly kekId: string;
  /** Milliseconds since 1970. */
  readonly addTimeMs: number;
  readonly destroyed: boolean;
}

export interface SecretRow {
  readonly secretId: string;
  readonly displayName: string;
  readonly owner: string;
  readonly createTime: Date;
  /** Oldest first; version n is at place n - 1. */
  readonly versions: readonly SecretVersionRow[];
  readonly etag: string;
}

interface RawRow {
  secret_id: string;
  display_name: string;
  owner: string;
  create_time: Date;
  versions: SecretVersionRow[];
  stream_version: number;
}

const table = 'vault_view.secret';

/** Every secret with its versions, without a value. Names are unique: people write them into mandates and policies. */
@Injectable()
export class SecretView extends View {
  readonly name = 'secret';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    secret_id text primary key, display_name text not null unique, owner text not null,
    create_time timestamptz not null, versions jsonb not null default '[]', stream_version int not null)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type === 'SecretCreated') return this.#create(SecretCreated.decode(fact.data), fact, tx);
    if (fact.type === 'SecretVersionAdded') {
      const { secretId, version, kekId } = SecretVersionAdded.decode(fact.data);
      const added: SecretVersionRow = { version, kekId, addTimeMs: fact.at.getTime(), destroyed: false };
      await tx.query(
        `update ${table} set versions = versions || $2::jsonb, stream_version = $3 where secret_id = $1`,
        [secretId, JSON.stringify([added]), fact.version],
      );
    }
    if (fact.type === 'SecretVersionDestroyed') {
      const { secretId, version } = SecretVersionDestroyed.decode(fact.data);
      await tx.query(
        `update ${table} set versions = jsonb_set(versions, array[$2::text, 'destroyed'], 'true'), stream_version = $3
         where secret_id = $1`,
        [secretId, String(version - 1), fact.version],
      );
    }
  }

  async find(secretId: string): Promise<SecretRow | undefined> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where secret_id = $1`,
      [secretId],
      'secret.find',
    );
    return rows[0] && secretRow(rows[0]);
  }

  /** At most `limit` secrets by ascending id after `after`. */
  async list(after: string | undefined, limit: number): Promise<SecretRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where secret_id > $1 order by secret_id limit $2`,
      [after ?? '', limit],
    );
    return rows.map(secretRow);
  }

  async #create({ secretId, displayName, owner }: SecretCreated, fact: StoredFact, tx: Tx): Promise<void> {
    const { rowCount } = await tx.query(
      `insert into ${table} (secret_id, display_name, owner, create_time, stream_version) values ($1, $2, $3, $4, $5)
       on conflict (display_name) do nothing`,
      [secretId, displayName, owner, fact.at, fact.version],
    );
    if (rowCount === 0)
      throw refuseName(
        'SECRET_NAME_TAKEN',
        `a secret is named \`${displayName}\` already; choose another name`,
      );
  }
}

function secretRow(row: RawRow): SecretRow {
  return {
    secretId: row.secret_id,
    displayName: row.display_name,
    owner: row.owner,
    createTime: row.create_time,
    versions: row.versions,
    etag: String(row.stream_version),
  };
}
