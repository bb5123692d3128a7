import { Injectable } from '@nestjs/common';
import { Database } from '@writ/event-store';

/** How far a sink has come, while this process holds it. */
export interface SiemCursor {
  readonly sink: string;
  /** The next entry to deliver. */
  readonly nextIndex: number;
  /** Of the last delivered event; empty before the first. */
  readonly fingerprint: string;
}

/** How long a process that vanished keeps a sink; by the database's clock. */
const HELD_SECONDS = 6;

interface Row {
  next_idx: string;
  fingerprint: string;
}

/**
 * Each sink's own durable place in the ledger. One process holds a sink at a time and only the holder moves
 * it.
 */
@Injectable()
export class SiemCursors {
  constructor(private readonly database: Database) {}

  /** Takes the sink or keeps it; undefined while another process holds it. */
  async hold(sink: string, holder: string): Promise<SiemCursor | undefined> {
    await this.database.query('insert into ledger.siem_cursor (sink) values ($1) on conflict do nothing', [
      sink,
    ]);
    const { rows } = await this.database.query<Row>(
      `update ledger.siem_cursor set holder = $2, held_until = now() + interval '${HELD_SECONDS} seconds'
        where sink = $1 and (holder = $2 or held_until < now()) returning next_idx, fingerprint`,
      [sink, holder],
    );
    const [row] = rows;
    return row && { sink, nextIndex: Number(row.next_idx), fingerprint: row.fingerprint };
  }

  /** @throws Error when another process has taken the sink: what was delivered is delivered again by it */
  async advance(from: SiemCursor, holder: string, to: Omit<SiemCursor, 'sink'>): Promise<SiemCursor> {
    const { rowCount } = await this.database.query(
      `update ledger.siem_cursor set next_idx = $4, fingerprint = $5,
          held_until = now() + interval '${HELD_SECONDS} seconds'
        where sink = $1 and holder = $2 and next_idx = $3`,
      [from.sink, holder, from.nextIndex, to.nextIndex, to.fingerprint],
    );
    if (rowCount !== 1) throw new Error(`sink \`${from.sink}\` is held by another process now`);
    return { sink: from.sink, ...to };
  }

  async release(sink: string, holder: string): Promise<void> {
    await this.database.query(
      `update ledger.siem_cursor set holder = '', held_until = now() where sink = $1 and holder = $2`,
      [sink, holder],
    );
  }
}
