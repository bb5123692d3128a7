import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  PersonKeyAdded,
  PersonKeyRetired,
  PersonLeft,
} from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { Database, makeTables, schemasOf, type Tx } from '@writ/event-store';

const { views: schema } = schemasOf('approvals');
const table = `${schema}.approver_key`;

/** The keys with which people sign, known from the registry's facts. */
@Injectable()
export class ApproverReactions extends Reactions implements OnModuleInit {
  readonly group = 'approvals-approver';
  readonly sources = ['registry'];

  constructor(private readonly database: Database) {
    super();
  }

  /** Makes the table; before the first fact and the first question. */
  async onModuleInit(): Promise<void> {
    const sql = `create table if not exists ${table} (person_id text not null, key_id text not null, jwk text not null, primary key (person_id, key_id))`;
    await makeTables({ database: this.database, schema, sql });
  }

  async handle(fact: ConsumedFact, tx: Tx): Promise<void> {
    if (fact.fullType === 'writ.registry.v1.PersonKeyAdded') {
      const { personId, keyId, jwk } = PersonKeyAdded.decode(fact.data);
      await tx.query(`insert into ${table} values ($1, $2, $3) on conflict (person_id, key_id) do nothing`, [
        personId,
        keyId,
        jwk,
      ]);
    }
    if (fact.fullType === 'writ.registry.v1.PersonKeyRetired') {
      const { personId, keyId } = PersonKeyRetired.decode(fact.data);
      await tx.query(`delete from ${table} where person_id = $1 and key_id = $2`, [personId, keyId]);
    }
    if (fact.fullType === 'writ.registry.v1.PersonLeft') {
      await tx.query(`delete from ${table} where person_id = $1`, [PersonLeft.decode(fact.data).personId]);
    }
  }

  /** The public JWK of a key that the person may sign with now. */
  async jwkOf(personId: string, keyId: string): Promise<string | undefined> {
    const { rows } = await this.database.query<{ jwk: string }>(
      `select jwk from ${table} where person_id = $1 and key_id = $2`,
      [personId, keyId],
    );
    return rows[0]?.jwk;
  }
}
