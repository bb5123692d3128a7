import { Injectable } from '@nestjs/common';
import { PolicySetApplied, PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { Database, type StoredFact, schemasOf, type Tx, View } from '@writ/event-store';

const table = `${schemasOf('policy-engine').views}.policy_set`;

export interface PolicySetRow {
  readonly policySetId: string;
  readonly version: number;
  readonly policies: string;
  readonly schema: string;
  readonly digest: string;
  readonly note: string;
  readonly tests: PolicyTest[];
  /** The earlier set that this one brought back; empty when its texts were new. */
  readonly restoredPolicySetId: string;
  readonly applyTime: Date;
}

/** As it is stored. */
interface StoredRow extends Omit<PolicySetRow, 'tests'> {
  readonly tests: readonly unknown[];
}

const columns = `policy_set_id as "policySetId", version, policies, schema, digest, note, tests,
  restored_policy_set_id as "restoredPolicySetId", apply_time as "applyTime"`;

/** Every policy set that was ever applied; the one with the highest version is active. */
@Injectable()
export class PolicySetView extends View {
  override readonly name = 'policy-set';
  override readonly version = 2;
  override readonly tables = `
    create table if not exists ${table} (
      version int primary key, policy_set_id text not null unique, policies text not null, schema text not null,
      digest text not null, note text not null, tests jsonb not null, restored_policy_set_id text not null,
      apply_time timestamptz not null);
  `;

  constructor(private readonly database: Database) {
    super();
  }

  override async apply(fact: StoredFact, tx: Tx): Promise<void> {
    if (fact.type !== 'PolicySetApplied') return;
    const { policySetId, version, policies, schema, digest, note, tests, restoredPolicySetId } =
      PolicySetApplied.decode(fact.data);
    const testsJson = JSON.stringify(tests.map((test) => PolicyTest.toJSON(test)));
    await tx.query(
      `insert into ${table} (version, policy_set_id, policies, schema, digest, note, tests, restored_policy_set_id, apply_time)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [version, policySetId, policies, schema, digest, note, testsJson, restoredPolicySetId, fact.at],
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
    return this.#one('order by version desc limit 1');
  }

  /** Newest first, below version `below`. */
  async list(below: number, limit: number): Promise<readonly PolicySetRow[]> {
    return this.#rows('where version < $1 order by version desc limit $2', below, limit);
  }

  async #one(which: string, ...keys: (string | number)[]): Promise<PolicySetRow | undefined> {
    return (await this.#rows(which, ...keys))[0];
  }

  async #rows(which: string, ...keys: (string | number)[]): Promise<readonly PolicySetRow[]> {
    const { rows } = await this.database.query<StoredRow>(`select ${columns} from ${table} ${which}`, keys);
    return rows.map(({ tests, ...row }) => ({ ...row, tests: tests.map(PolicyTest.fromJSON) }));
  }
}
