import {
  type Database,
  decodeFact,
  type Facts,
  type StoredFact,
  schemasOf,
  type Tx,
  View,
} from '@writ/event-store';
import type { Decider } from '@writ/kernel';
import type { Page } from '@writ/service';

/** One row of a read model: the folded state of a stream, and when it changed. */
export interface Row<State> {
  readonly id: string;
  readonly state: State;
  /** Version of the stream, as an etag. */
  readonly etag: string;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

interface RawRow<State> {
  id: string;
  state: State;
  version: number;
  first_at: Date;
  last_at: Date;
}

export interface FoldSettings<State, Command, Event extends { type: string; data: unknown }> {
  readonly table: string;
  /** Streams are named `<kind>-<id>`. */
  readonly kind: string;
  readonly decider: Decider<State, Command, Event>;
  readonly facts: Facts<Event>;
  /** Text columns to filter by, from the state. */
  readonly columns: readonly string[];
  columnsOf(state: State): Readonly<Record<string, string>>;
}

/**
 * A read model that is the rules' own fold: `evolve` makes the state, and a few columns make it searchable. Its state
 * must be plain JSON. Ids sort by creation, so a list by id is stable while new rows arrive.
 */
export abstract class FoldView<State, Command, Event extends { type: string; data: unknown }> extends View {
  readonly name: string;
  readonly version: number = 1;
  readonly tables: string;
  readonly #table: string;

  constructor(
    private readonly database: Database,
    private readonly fold: FoldSettings<State, Command, Event>,
  ) {
    super();
    this.name = fold.table;
    this.#table = `${schemasOf('registry').views}.${fold.table}`;
    this.tables = `create table if not exists ${this.#table} (
      id text primary key, version int not null, first_at timestamptz not null, last_at timestamptz not null,
      state jsonb not null, ${fold.columns.map((column) => `${column} text not null`).join(', ')})`;
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    const { kind, facts, decider, columns, columnsOf } = this.fold;
    if (!fact.streamId.startsWith(`${kind}-`)) return;
    const id = fact.streamId.slice(kind.length + 1);
    const event = decodeFact(facts, fact);
    const known = await tx.query<{ state: State }>(
      `select state from ${this.#table} where id = $1 for update`,
      [id],
    );
    const state = decider.evolve(known.rows[0]?.state ?? decider.initialState(), event);
    const values = columnsOf(state);
    await tx.query(
      `insert into ${this.#table} (id, version, first_at, last_at, state${columns.map((column) => `, ${column}`).join('')})
       values ($1, $2, $3, $3, $4${columns.map((_, index) => `, $${index + 5}`).join('')})
       on conflict (id) do update set version = excluded.version, last_at = excluded.last_at, state = excluded.state
       ${columns.map((column) => `, ${column} = excluded.${column}`).join('')}`,
      [id, fact.version, fact.at, JSON.stringify(state), ...columns.map((column) => values[column] ?? '')],
    );
  }

  async count(): Promise<number> {
    const { rows } = await this.database.query<{ count: string }>(`select count(*) from ${this.#table}`);
    return Number(rows[0]?.count);
  }

  async find(id: string): Promise<Row<State> | undefined> {
    const { rows } = await this.database.query<RawRow<State>>(`select * from ${this.#table} where id = $1`, [
      id,
    ]);
    return rows[0] === undefined ? undefined : row(rows[0]);
  }

  /** Rows by ascending id after `after`, one more than a page holds; an empty value does not narrow. */
  async list(page: Page, where: Readonly<Record<string, string>>): Promise<Row<State>[]> {
    const filters = Object.entries(where).filter(([, value]) => value !== '');
    const unknown = filters.find(([column]) => !this.fold.columns.includes(column));
    if (unknown !== undefined) throw new Error(`view \`${this.name}\` has no column \`${unknown[0]}\``);
    const { rows } = await this.database.query<RawRow<State>>(
      `select * from ${this.#table}
       where id > $1 ${filters.map(([column], index) => `and ${column} = $${index + 3}`).join(' ')}
       order by id limit $2`,
      [page.after ?? '', page.size + 1, ...filters.map(([, value]) => value)],
    );
    return rows.map(row);
  }
}

function row<State>({ id, state, version, first_at, last_at }: RawRow<State>): Row<State> {
  return { id, state, etag: String(version), firstAt: first_at, lastAt: last_at };
}
