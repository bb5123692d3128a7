import { Injectable } from '@nestjs/common';
import { Database, type Migration, type Tx } from '@writ/event-store';

/**
 * The only place that says who a `psn_…` is. It is no read model: it cannot be rebuilt from facts, for facts are never
 * changed and a name must be erasable. Erasing a row here leaves every fact and every proof as it was.
 */
export const profileMigrations: readonly Migration[] = [
  {
    area: 'profile',
    number: 1,
    sql: ({ facts }, role) => `
      create table ${facts}.profile (person_id text primary key, display_name text not null);
      grant select, insert, update, delete on ${facts}.profile to ${role}`,
  },
];

@Injectable()
export class ProfileStore {
  constructor(private readonly database: Database) {}

  async put(tx: Tx, personId: string, displayName: string): Promise<void> {
    await tx.query(
      `insert into registry.profile (person_id, display_name) values ($1, $2)
       on conflict (person_id) do update set display_name = excluded.display_name`,
      [personId, displayName],
    );
  }

  /** Display names by person id; nobody's where it was erased. */
  async names(personIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { rows } = await this.database.query<{ person_id: string; display_name: string }>(
      'select person_id, display_name from registry.profile where person_id = any($1)',
      [personIds],
    );
    return new Map(rows.map(({ person_id, display_name }) => [person_id, display_name]));
  }
}
