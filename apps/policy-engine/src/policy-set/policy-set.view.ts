import { Injectable } from '@nestjs/common';
import { PolicySetApplied } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Database, type StoredFact, schemasOf, type Tx, View } from '@writ/event-store';

const table = `${schemasOf('policy-engine').views}.policy_set`;

export interface PolicySetRow {
  readonly policySetId: string;
  readonly version: number;
  readonly policies: string;
  readonly schema: string;
  readonly digest: string;
  readonly note: string;
  readonly applyTime: Date;
}

const columns = `policy_set_id as "policySetId", version, policies, schema, digest, note, apply_time as "applyTime"`;

/** Every policy set that was ever applied; the one with the highest version is active. */
@Injectable()
export class PolicySetView extends View {
  override readonly name = 'policy-set';
  override readonly version = 1;
  override readonly tables = `
    create table if not exists ${table} (
      version int primary key, policy_set_id text not null unique, policies text not null, schema text not null,
      digest text not null, note text not null, apply_time timestamptz not null);
  `;

  constructor(private readonly database: Database) {
    super();
  }

  override async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type !== 'PolicySetApplied') return;
    const { policySetId, version, policies, schema, digest, note } = PolicySetApplied.decode(fact.data);
    await tx.query(
      `insert into ${table} (version, policy_set_id, policies, schema, digest, note, apply_time) values ($1, $2, $3, $4, $5, $6, $7)`,
      [version, policySetId, policies, schema, digest, note, fact.at],
      'policy-set.apply',
    );
  }

  async get(policySetId: string): Promise<PolicySetRow | undefined> {
    return this.#one('where policy_set_id = $1', policySetId);
  }

  async atVersion(version: number): Promise<PolicySetRow | undefined> {
    return this.#one('where version = $1', version);
  }

  async active(): Promise<PolicySetRow | undefined> {
    const { rows } = await this.database.query<PolicySetRow>(
      `select ${columns} from ${table} order by version desc limit 1`,
    );
    return rows[0];
  }

  /** Newest first, below version `below`. */
  async list(below: number, limit: number): Promise<readonly PolicySetRow[]> {
    const { rows } = await this.database.query<PolicySetRow>(
      `select ${columns} from ${table} where version < $1 order by version desc limit $2`,
      [below, limit],
    );
    return rows;
  }

  async #one(where: string, key: string | number): Promise<PolicySetRow | undefined> {
    const { rows } = await this.database.query<PolicySetRow>(`select ${columns} from ${table} ${where}`, [
      key,
    ]);
    return rows[0];
  }
}
