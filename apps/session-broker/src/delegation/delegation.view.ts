import { Injectable } from '@nestjs/common';
import { DelegationMade, DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import type { Sight } from '../sight.js';

export interface DelegationRow {
  readonly made: DelegationMade;
  readonly revoked: boolean;
  readonly madeAt: Date;
  readonly etag: string;
}

interface RawRow {
  made: unknown;
  revoked: boolean;
  made_at: Date;
  version: number;
}

const table = 'session_broker_view.delegation';
const mandates = 'session_broker_view.mandate';

/** Every delegation, by mandate and by agent on either end. */
@Injectable()
export class DelegationView extends View {
  readonly name = 'delegation';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    delegation_id text primary key, mandate_id text not null, delegator_id text not null, delegate_id text not null,
    revoked bool not null default false, made jsonb not null, made_at timestamptz not null, version int not null);
    create index if not exists delegation_mandate on ${table} (mandate_id)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type === 'DelegationMade') {
      const made = DelegationMade.decode(fact.data);
      await tx.query(
        `insert into ${table} (delegation_id, mandate_id, delegator_id, delegate_id, made, made_at, version)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [
          made.delegationId,
          made.mandateId,
          made.delegatorAgentId,
          made.delegateAgentId,
          JSON.stringify(DelegationMade.toJSON(made)),
          fact.at,
          fact.version,
        ],
      );
    }
    if (fact.type === 'DelegationRevoked') {
      const { delegationId } = DelegationRevoked.decode(fact.data);
      await tx.query(`update ${table} set revoked = true, version = $2 where delegation_id = $1`, [
        delegationId,
        fact.version,
      ]);
    }
  }

  async find(
    delegationId: string,
    on: Pick<Tx, 'query'> = this.database,
  ): Promise<DelegationRow | undefined> {
    const { rows } = await on.query<RawRow>(
      `select * from ${table} where delegation_id = $1`,
      [delegationId],
      'delegation.find',
    );
    return rows[0] && rowOf(rows[0]);
  }

  async list(
    after: string | undefined,
    limit: number,
    filter: { mandateId: string; agentId: string },
    sight: Sight,
  ): Promise<DelegationRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table}
       where delegation_id > $1 and ($3 = '' or mandate_id = $3) and ($4 = '' or $4 in (delegator_id, delegate_id))
         and ($5 = '' or $5 in (delegator_id, delegate_id))
         and ($6 = '' or mandate_id in (select mandate_id from ${mandates} where person_id = $6))
       order by delegation_id limit $2`,
      [after ?? '', limit, filter.mandateId, filter.agentId, sight.agentId, sight.personId],
    );
    return rows.map(rowOf);
  }
}

function rowOf({ made, revoked, made_at, version }: RawRow): DelegationRow {
  return { made: DelegationMade.fromJSON(made), revoked, madeAt: made_at, etag: String(version) };
}
