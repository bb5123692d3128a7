import type { Database } from '@writ/event-store';
import type { Page } from '@writ/service';

/** One page of a read model. */
export interface Listing {
  readonly table: string;
  /** Column of ids. Ids sort by creation, so a list by id is stable while new rows arrive. */
  readonly key: string;
  /** Column → the value it must have; an empty value does not narrow. */
  readonly where: Readonly<Record<string, string>>;
  /** Further conditions, in SQL without input of callers. */
  readonly also?: readonly string[];
  readonly page: Page;
}

/** Rows by ascending id, one more than the page holds. Column names come from our code only. */
export async function listRows<R>(database: Database, listing: Listing): Promise<R[]> {
  const { table, key, page, also = [] } = listing;
  const filters = Object.entries(listing.where).filter(([, value]) => value !== '');
  const conditions = [
    `${key} > $1`,
    ...filters.map(([column], index) => `${column} = $${index + 3}`),
    ...also,
  ];
  const { rows } = await database.query<R>(
    `select * from ${table} where ${conditions.join(' and ')} order by ${key} limit $2`,
    [page.after ?? '', page.size + 1, ...filters.map(([, value]) => value)],
  );
  return rows;
}
