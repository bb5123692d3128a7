import { Injectable } from '@nestjs/common';
import { Database, type Migration, type Tx } from '@writ/event-store';
import { Clock, type Secret } from '@writ/service';
import { KeyProvider } from './kek.provider.js';
import { refuseValue, type SealedValue, seal, unseal, type ValueId } from './secret-value.cipher.js';

const table = 'vault.secret_value';

/**
 * Values are in no fact, so no replay brings them back: their table is made by a migration, belongs to the migration
 * role, and the service may not drop or change a row of it. A destroyed value is a deleted row; backups that are older
 * still hold it, sealed.
 */
export const secretValueMigrations: readonly Migration[] = [
  {
    area: 'secret-value',
    number: 1,
    sql: (_schemas, role) => `
      create table ${table} (
        secret_id text not null, version int not null check (version > 0), kek_id text not null,
        wrapped_key bytea not null, sealed bytea not null, primary key (secret_id, version));
      grant select, insert, delete on ${table} to ${role};`,
  },
];

interface Row {
  kek_id: string;
  wrapped_key: Buffer;
  sealed: Buffer;
}

/** The sealed values of all secrets, and the only place where they are opened. */
@Injectable()
export class SecretValues {
  constructor(
    private readonly database: Database,
    private readonly keys: KeyProvider,
    private readonly clock: Clock,
  ) {}

  /** Outside of any transaction: a key provider may be far away. */
  seal(id: ValueId, value: Secret<Uint8Array>): Promise<SealedValue> {
    return seal(this.keys, (count) => this.clock.randomBytes(count), id, value);
  }

  async insert(
    tx: Tx,
    { secretId, version }: ValueId,
    { kekId, wrappedKey, sealed }: SealedValue,
  ): Promise<void> {
    await tx.query(
      `insert into ${table} (secret_id, version, kek_id, wrapped_key, sealed) values ($1, $2, $3, $4, $5)`,
      [secretId, version, kekId, Buffer.from(wrappedKey), Buffer.from(sealed)],
    );
  }

  async remove(tx: Tx, { secretId, version }: ValueId): Promise<void> {
    await tx.query(`delete from ${table} where secret_id = $1 and version = $2`, [secretId, version]);
  }

  /**
   * Whether the value is there. After an append in `tx` the answer holds until `tx` ends: who destroys a value appends too,
   * and appends of a service happen one after the other.
   */
  async isKept(tx: Tx, { secretId, version }: ValueId): Promise<boolean> {
    const { rowCount } = await tx.query(
      `select from ${table} where secret_id = $1 and version = $2`,
      [secretId, version],
      'secret_value.kept',
    );
    return rowCount === 1;
  }

  /** @throws Refusal SECRET_VALUE_MISSING, SECRET_VALUE_DAMAGED, KEK_UNKNOWN, WRAPPED_KEY_DAMAGED */
  async open(id: ValueId): Promise<Secret<Uint8Array>> {
    const { rows } = await this.database.query<Row>(
      `select kek_id, wrapped_key, sealed from ${table} where secret_id = $1 and version = $2`,
      [id.secretId, id.version],
      'secret_value.open',
    );
    const [row] = rows;
    if (row === undefined)
      throw refuseValue(
        'SECRET_VALUE_MISSING',
        `version \`${id.version}\` of \`${id.secretId}\` has no value any more; add a version`,
      );
    return unseal(this.keys, id, { kekId: row.kek_id, wrappedKey: row.wrapped_key, sealed: row.sealed });
  }
}
