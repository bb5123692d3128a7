import type { Database, Tx } from '@writ/event-store';
import type { BusRecord } from './bus.js';

/**
 * `undecodable`: no fact. `failed`: its effect failed three times. `behind`: waits behind a failed one of its
 * key.
 */
export type DeadLetterReason = 'undecodable' | 'failed' | 'behind';

/** A record that was set aside, as a row of table `dlq`. */
export interface DeadLetter {
  readonly id: number;
  readonly source: string;
  readonly topic: string;
  readonly record: BusRecord;
  /** Absent for an undecodable record. */
  readonly pos: number | undefined;
  readonly reason: DeadLetterReason;
  readonly detail: string;
  readonly at: Date;
}

export type NewDeadLetter = Omit<DeadLetter, 'id' | 'at'>;

interface Row {
  id: string;
  source: string;
  topic: string;
  part: number;
  off: string;
  key: string;
  pos: string | null;
  headers: Record<string, string>;
  value: Buffer;
  reason: DeadLetterReason;
  detail: string;
  at: Date;
}

const DETAIL_CHARACTERS_MAX = 500;
const columns = 'id, source, topic, part, off, key, pos, headers, value, reason, detail, at';

/** The records one group has set aside, and the keys that wait behind them. */
export class DeadLetters {
  constructor(
    private readonly views: string,
    private readonly group: string,
  ) {}

  /** Answers which of `letters` were not held yet: the same record set aside twice is one row. */
  async keep(tx: Tx, letters: readonly NewDeadLetter[]): Promise<Set<NewDeadLetter>> {
    const kept = new Set<NewDeadLetter>();
    for (const letter of letters) {
      const { source, topic, record, pos, reason, detail } = letter;
      const { rowCount } = await tx.query(
        `insert into ${this.views}.dlq (grp, source, topic, part, off, key, pos, headers, value, reason, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
        [
          this.group,
          source,
          topic,
          record.partition,
          record.offset,
          record.key,
          pos ?? null,
          JSON.stringify(record.headers),
          Buffer.from(record.value),
          reason,
          detail.replaceAll('\u0000', '').slice(0, DETAIL_CHARACTERS_MAX),
        ],
        `${this.views}.dlq-keep`,
      );
      if (rowCount === 1) kept.add(letter);
    }
    return kept;
  }

  async park(tx: Tx, source: string, key: string): Promise<void> {
    await tx.query(
      `insert into ${this.views}.parked_key (grp, source, key) values ($1, $2, $3) on conflict do nothing`,
      [this.group, source, key],
    );
  }

  async unpark(tx: Tx, source: string, key: string): Promise<void> {
    await tx.query(`delete from ${this.views}.parked_key where grp = $1 and source = $2 and key = $3`, [
      this.group,
      source,
      key,
    ]);
  }

  async sourcesParking(database: Database, key: string): Promise<string[]> {
    const { rows } = await database.query<{ source: string }>(
      `select source from ${this.views}.parked_key where grp = $1 and key = $2 order by source`,
      [this.group, key],
    );
    return rows.map(({ source }) => source);
  }

  /** The oldest letter of a parked key. */
  async next(tx: Tx, source: string, key: string): Promise<DeadLetter | undefined> {
    const { rows } = await tx.query<Row>(
      `select ${columns} from ${this.views}.dlq
        where grp = $1 and source = $2 and key = $3 and redriven_at is null and reason <> 'undecodable'
        order by id limit 1`,
      [this.group, source, key],
    );
    return rows[0] && letterOf(rows[0]);
  }

  async redriven(tx: Tx, id: number): Promise<void> {
    await tx.query(`update ${this.views}.dlq set redriven_at = now() where id = $1`, [id]);
  }

  /** What waits for somebody, oldest first. */
  async waiting(database: Database, limit: number): Promise<DeadLetter[]> {
    const { rows } = await database.query<Row>(
      `select ${columns} from ${this.views}.dlq where grp = $1 and redriven_at is null order by id limit $2`,
      [this.group, limit],
    );
    return rows.map(letterOf);
  }
}

function letterOf(row: Row): DeadLetter {
  const { source, topic, key, headers, value, reason, detail, at } = row;
  return {
    id: Number(row.id),
    source,
    topic,
    record: { partition: row.part, offset: Number(row.off), key, headers, value },
    pos: row.pos === null ? undefined : Number(row.pos),
    reason,
    detail,
    at,
  };
}
