import type { Database } from '@writ/event-store';
import type { DatabaseSession } from './database-session.js';

/** How far the facts of a service are published. */
export interface Cursor {
  readonly pos: number;
  /** Counts the moves: a relay that names an old one has been deposed. */
  readonly epoch: number;
}

export interface CursorRow {
  readonly pos: string;
  readonly epoch: string;
}

/** Its row in `<service>.cursor`. */
export const CURSOR = 'relay';

export async function readCursor(database: Database, schema: string): Promise<Cursor> {
  await database.query(
    `insert into ${schema}.cursor (name, pos, epoch) values ($1, 0, 0) on conflict do nothing`,
    [CURSOR],
  );
  const { rows } = await database.query<CursorRow>(
    `select pos, epoch from ${schema}.cursor where name = $1`,
    [CURSOR],
  );
  return cursorOf(rows[0]);
}

/** Asks through the session, so that it fails when leadership is lost; sees a `rewind`. */
export async function heldCursor(session: DatabaseSession, schema: string): Promise<Cursor> {
  const [row] = await session.query<CursorRow>(`select pos, epoch from ${schema}.cursor where name = $1`, [
    CURSOR,
  ]);
  return cursorOf(row);
}

export function cursorOf(row: CursorRow | undefined): Cursor {
  if (row === undefined) throw new Error(`cursor \`${CURSOR}\` is gone`);
  return { pos: Number(row.pos), epoch: Number(row.epoch) };
}

export function deposed(service: string, { epoch }: Cursor): Error {
  return new Error(`the relay of \`${service}\` was deposed at epoch ${epoch}`);
}
