import type { WatchEntry } from '@writ/contracts/writ/watch/v1/watch.js';

export const table = 'session_broker_view.stop';
export const epochs = 'session_broker_view.stop_epoch';

/** Which database this is: a restore or a promotion changes the timeline, a copy has another system identifier. */
export const hereSql = `select system_identifier::text || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as cluster
  from pg_control_system()`;

export interface RawRow {
  seq: string;
  kind: number;
  target_id: string;
  not_before: Date;
  expire_time: Date | null;
  reason: string;
  lock_id: string;
  lifted: boolean;
}

const rowColumns =
  'seq, kind, target_id, not_before, expire_time, reason, lock_id, lifted, lifted_later, version';

/** What the feed must know of a new order, as its own transaction sees it. */
export const returning = `returning ${rowColumns},
  (select epoch from ${epochs}) as epoch,
  (select e.cluster <> here.cluster from ${epochs} e cross join (${hereSql}) here) as moved`;

export interface LockRowRaw extends RawRow {
  lifted_later: boolean;
  version: number;
}

export interface PlacedRow extends LockRowRaw {
  epoch: string;
  moved: boolean;
}

/** An order, and what the transaction that placed it saw. */
export interface PlacedStop {
  readonly epoch: string;
  /** Whether the database is another one than the epoch was made in. */
  readonly moved: boolean;
  readonly entry: WatchEntry;
  /** Of an order that is a lock. */
  readonly lock: LockRow;
}

export interface LockRow {
  readonly lockId: string;
  readonly kind: number;
  readonly targetId: string;
  readonly reason: string;
  readonly placedAt: Date;
  readonly expireTime: Date | undefined;
  readonly lifted: boolean;
  readonly seq: number;
  readonly etag: string;
}

export type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null };

/** Whether an outer join found an order. */
export function isEntry<Row extends Nullable<RawRow>>(row: Row): row is Row & RawRow {
  return row.seq !== null;
}

export function entryOf(row: RawRow): WatchEntry {
  return {
    seq: BigInt(row.seq),
    // The kinds of locks have the same numbers in both contracts.
    targetKind: row.kind,
    targetId: row.target_id,
    notBefore: row.not_before,
    expireTime: row.expire_time ?? undefined,
    reason: row.reason,
    lockId: row.lock_id,
    lifted: row.lifted,
  };
}

export function lockOf(row: LockRowRaw): LockRow {
  return {
    lockId: row.lock_id,
    kind: row.kind,
    targetId: row.target_id,
    reason: row.reason,
    placedAt: row.not_before,
    expireTime: row.expire_time ?? undefined,
    lifted: row.lifted_later,
    seq: Number(row.seq),
    etag: String(row.version),
  };
}

export function placedOf(row: PlacedRow): PlacedStop {
  const { epoch, moved } = row;
  return { epoch, moved, entry: entryOf(row), lock: lockOf(row) };
}
