import { Injectable } from '@nestjs/common';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { Database, schemasOf, type Tx } from '@writ/event-store';
import { FoldView } from '../fold.view.js';
import { personFacts } from './person.facts.js';
import { type Person, type PersonCommand, type PersonEvent, personDecider } from './person.js';

/** One column per role, `yes` or `no`, so that a list can be narrowed to it. */
export const roleColumns: Readonly<Record<number, string>> = {
  [Role.ROLE_ADMIN]: 'is_admin',
  [Role.ROLE_OPERATOR]: 'is_operator',
  [Role.ROLE_SPONSOR]: 'is_sponsor',
  [Role.ROLE_APPROVER]: 'is_approver',
  [Role.ROLE_AUDITOR]: 'is_auditor',
  [Role.ROLE_SECURITY]: 'is_security',
};

function yesOrNo(roles: readonly Role[], role: string): string {
  return roles.includes(Number(role)) ? 'yes' : 'no';
}

@Injectable()
export class PersonView extends FoldView<Person, PersonCommand, PersonEvent> {
  constructor(database: Database) {
    super(database, {
      table: 'person',
      kind: 'person',
      decider: personDecider,
      facts: personFacts,
      columns: ['status', ...Object.values(roleColumns)],
      columnsOf: ({ status, roles }) => ({
        status,
        ...Object.fromEntries(
          Object.entries(roleColumns).map(([role, column]) => [column, yesOrNo(roles, role)]),
        ),
      }),
    });
  }

  /** Whether anybody else was ever registered, as `tx` sees it. */
  async hasOthers(tx: Tx, personId: string): Promise<boolean> {
    const { rowCount } = await tx.query(
      `select 1 from ${schemasOf('registry').views}.person where id <> $1 limit 1`,
      [personId],
    );
    return rowCount !== 0;
  }
}
