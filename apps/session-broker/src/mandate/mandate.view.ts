import { Injectable } from '@nestjs/common';
import { MandateGranted, MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';
import type { Page } from '@writ/service';
import type { Sight } from '../sight.js';

export interface MandateRow {
  readonly granted: MandateGranted;
  readonly revoked: boolean;
  readonly grantedAt: Date;
  readonly etag: string;
}

interface RawRow {
  data: Buffer;
  revoked: boolean;
  granted_at: Date;
  version: number;
}

const table = 'session_broker_view.mandate';

/** Every mandate that was granted, by person and agent. */
@Injectable()
export class MandateView extends View {
  readonly name = 'mandate';
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    mandate_id text primary key, person_id text not null, agent_id text not null,
    revoked boolean not null default false, granted_at timestamptz not null, version int not null, data bytea not null);
    create index if not exists mandate_person on ${table} (person_id, mandate_id);
    create index if not exists mandate_agent on ${table} (agent_id, mandate_id)`;

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type === 'MandateGranted') {
      const { mandateId, personId, agentId } = MandateGranted.decode(fact.data);
      await tx.query(
        `insert into ${table} (mandate_id, person_id, agent_id, granted_at, version, data) values ($1, $2, $3, $4, $5, $6)`,
        [mandateId, personId, agentId, fact.at, fact.version, fact.data],
      );
    }
    if (fact.type === 'MandateRevoked') {
      const { mandateId } = MandateRevoked.decode(fact.data);
      await tx.query(`update ${table} set revoked = true, version = $2 where mandate_id = $1`, [
        mandateId,
        fact.version,
      ]);
    }
  }

  async find(mandateId: string, on: Pick<Tx, 'query'> = this.database): Promise<MandateRow | undefined> {
    const { rows } = await on.query<RawRow>(
      `select * from ${table} where mandate_id = $1`,
      [mandateId],
      'mandate.find',
    );
    return rows[0] && mandateRow(rows[0]);
  }

  /** By ascending id, one more than the page holds; an empty id does not narrow. */
  async list(page: Page, filter: Sight, sight: Sight): Promise<MandateRow[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table}
       where mandate_id > $1 and ($3 = '' or agent_id = $3) and ($4 = '' or person_id = $4)
         and ($5 = '' or agent_id = $5) and ($6 = '' or person_id = $6)
       order by mandate_id limit $2`,
      [page.after ?? '', page.size + 1, filter.agentId, filter.personId, sight.agentId, sight.personId],
    );
    return rows.map(mandateRow);
  }
}

function mandateRow({ data, revoked, granted_at, version }: RawRow): MandateRow {
  return {
    granted: MandateGranted.decode(data),
    revoked,
    grantedAt: granted_at,
    etag: String(version),
  };
}
