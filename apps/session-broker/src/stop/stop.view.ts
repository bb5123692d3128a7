import { Injectable } from '@nestjs/common';
import { DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { LockLifted, LockPlaced, type LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEnded } from '@writ/contracts/writ/session/v1/session_facts.js';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { Database, type QueryAnswer, type StoredFact, type Tx, View } from '@writ/event-store';
import {
  entryOf,
  epochs,
  hereSql,
  isEntry,
  type LockRow,
  type LockRowRaw,
  lockOf,
  type Nullable,
  type PlacedRow,
  type PlacedStop,
  placedOf,
  type RawRow,
  returning,
  table,
} from './stop.sql.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Sessions live eight hours at most; a day later nothing is left that an order about them could stop. */
const TOLD_MS = DAY_MS;
/** Mandates live 90 days at most. */
const REVOCATIONS_TOLD_MS = 91 * DAY_MS;

/** The orders as of one moment. */
export interface StopReading {
  readonly epoch: string;
  /** Whether the database is another one than the epoch was made in. */
  readonly moved: boolean;
  readonly head: number;
  readonly entries: readonly WatchEntry[];
}

interface NewStop {
  readonly kind: WatchTargetKind | LockTargetKind;
  readonly targetId: string;
  readonly expireTime?: Date | undefined;
  readonly reason: string;
  readonly lockId?: string;
}

/**
 * Every stop order in one contiguous sequence, as enforcement points hear of it. The number is given in the transaction
 * of the fact, behind its append, so it is gapless and in the order of commits; a rebuild gives the same numbers.
 */
@Injectable()
export class StopView extends View {
  readonly name = 'stop';
  readonly version = 2;
  readonly tables = `create table if not exists ${table} (
    seq bigint primary key, kind int not null, target_id text not null, not_before timestamptz not null,
    expire_time timestamptz, reason text not null, lock_id text not null, lifted bool not null default false,
    lifted_later bool not null default false, version int not null);
    create index if not exists stop_lock on ${table} (lock_id) where lock_id <> '';
    create index if not exists stop_target on ${table} (kind, target_id) where lock_id <> '' and not lifted_later;
    create index if not exists stop_not_before on ${table} (not_before);
    create table if not exists ${epochs} (
      k bool primary key default true check (k), epoch uuid not null default gen_random_uuid(), cluster text not null);
    insert into ${epochs} (cluster) ${hereSql} on conflict do nothing`;
  readonly #listeners = new Set<(placed: PlacedStop) => void>();

  constructor(private readonly database: Database) {
    super();
  }

  async apply(fact: StoredFact, tx: Tx): Promise<void> {
    switch (fact.type) {
      case 'LockPlaced': {
        const { lockId, targetKind, targetId, reason, expireTime } = LockPlaced.decode(fact.data);
        return this.#add({ kind: targetKind, targetId, reason, expireTime, lockId }, fact, tx);
      }
      case 'LockLifted':
        return this.#lift(LockLifted.decode(fact.data), fact, tx);
      case 'MandateRevoked': {
        const { mandateId, reason } = MandateRevoked.decode(fact.data);
        return this.#add(
          { kind: WatchTargetKind.WATCH_TARGET_KIND_MANDATE, targetId: mandateId, reason },
          fact,
          tx,
        );
      }
      case 'DelegationRevoked': {
        const { delegationId, reason } = DelegationRevoked.decode(fact.data);
        return this.#add(
          { kind: WatchTargetKind.WATCH_TARGET_KIND_DELEGATION, targetId: delegationId, reason },
          fact,
          tx,
        );
      }
      case 'SessionEnded': {
        const { sessionId } = SessionEnded.decode(fact.data);
        const kind = WatchTargetKind.WATCH_TARGET_KIND_SESSION;
        return this.#add({ kind, targetId: sessionId, reason: 'session ended' }, fact, tx);
      }
      default:
        // Other facts stop nobody.
        return;
    }
  }

  /**
   * Tells of each order that is placed in this process, right after its commit; of two commits the later may be told first.
   * Answers how to stop.
   */
  onPlaced(listener: (placed: PlacedStop) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** At most `limit` orders after `seq`, and where the sequence stands: one statement, hence one moment. */
  async since(seq: number, limit: number): Promise<StopReading> {
    const { rows } = await this.database.query<
      Nullable<RawRow> & { epoch: string; moved: boolean; head: string }
    >(
      `select e.epoch, e.cluster <> here.cluster as moved, h.head, s.*
       from ${epochs} e cross join (${hereSql}) here
         cross join (select coalesce(max(seq), 0) as head from ${table}) h
         left join (select * from ${table} where seq > $1 order by seq limit $2) s on true
       order by s.seq`,
      [seq, limit],
      'stop.since',
    );
    const [first] = rows;
    if (first === undefined) throw new Error('the stop orders have no epoch');
    const { epoch, moved, head } = first;
    return { epoch, moved, head: Number(head), entries: rows.filter(isEntry).map(entryOf) };
  }

  /**
   * A database that was restored from a backup, or promoted from a standby that may have missed commits, can give old
   * numbers to new orders: whoever holds the old epoch must start over. Replicas that notice it together do it once.
   */
  async adoptCluster(): Promise<void> {
    await this.database.query(
      `update ${epochs} e set epoch = gen_random_uuid(), cluster = here.cluster from (${hereSql}) here
       where e.cluster <> here.cluster`,
    );
  }

  /** Orders that were told are gone. From now on the numbers of `epoch` do not count; nothing happens when it is past already. */
  async renewEpoch(epoch: string): Promise<void> {
    await this.database.query(`update ${epochs} set epoch = gen_random_uuid() where epoch = $1`, [epoch]);
  }

  /** The number of the last order that is committed. */
  async head(): Promise<number> {
    const { rows } = await this.database.query<{ seq: string | null }>(
      `select max(seq) as seq from ${table}`,
      [],
      'stop.head',
    );
    return Number(rows[0]?.seq ?? 0);
  }

  /** The orders after `seq`, up to and with `last`. */
  async between(seq: number, last: number): Promise<WatchEntry[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where seq > $1 and seq <= $2 order by seq`,
      [seq, last],
      'stop.between',
    );
    return rows.map(entryOf);
  }

  /** Everything up to `seq` that a point has to know at `at`, in order. */
  async fullState(seq: number, at: Date): Promise<WatchEntry[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where seq <= $1 and (
         not_before > $2
         or (not_before > $3 and kind = any($4))
         or (lock_id <> '' and not lifted_later and (expire_time is null or expire_time > $2)))
       order by seq`,
      [
        seq,
        new Date(at.getTime() - TOLD_MS),
        new Date(at.getTime() - REVOCATIONS_TOLD_MS),
        [WatchTargetKind.WATCH_TARGET_KIND_MANDATE, WatchTargetKind.WATCH_TARGET_KIND_DELEGATION],
      ],
      'stop.full',
    );
    return rows.map(entryOf);
  }

  /** The lock in force on any of these targets; undefined when there is none. */
  async lockOn(
    targets: readonly { kind: number; id: string }[],
    at: Date,
    on: Pick<Tx, 'query'> = this.database,
  ): Promise<string | undefined> {
    const { rows } = await on.query<{ lock_id: string }>(
      `select lock_id from ${table} s
       where lock_id <> '' and not lifted_later and (expire_time is null or expire_time > $3)
         and (kind, target_id) in (select * from unnest($1::int[], $2::text[])) limit 1`,
      [targets.map(({ kind }) => kind), targets.map(({ id }) => id), at],
      'stop.lock-on',
    );
    return rows[0]?.lock_id;
  }

  async lock(lockId: string): Promise<LockRow | undefined> {
    const { rows } = await this.database.query<LockRowRaw>(
      `select * from ${table} where lock_id = $1 and not lifted`,
      [lockId],
    );
    return rows[0] && lockOf(rows[0]);
  }

  async locks(
    after: string | undefined,
    limit: number,
    state: 'any' | 'in-force' | 'lifted' | 'expired',
    at: Date,
  ): Promise<LockRow[]> {
    const { rows } = await this.database.query<LockRowRaw>(
      `select * from ${table}
       where lock_id > $1 and lock_id <> '' and not lifted
         and ($3 = 'any' or ($3 = 'lifted') = lifted_later)
         and ($3 in ('any', 'lifted') or ($3 = 'expired') = coalesce(expire_time <= $4, false))
       order by lock_id limit $2`,
      [after ?? '', limit, state, at],
    );
    return rows.map(lockOf);
  }

  #add({ kind, targetId, expireTime, reason, lockId = '' }: NewStop, fact: StoredFact, tx: Tx): void {
    tx.send<PlacedRow>(
      `insert into ${table} (seq, kind, target_id, not_before, expire_time, reason, lock_id, version)
       select coalesce(max(seq), 0) + 1, $1::int, $2, $3::timestamptz, $4::timestamptz, $5, $6, $7::int from ${table}
       ${returning}`,
      [kind, targetId, fact.at, expireTime ?? null, reason, lockId, fact.version],
      'stop.add',
      this.#heard(),
    );
  }

  #lift({ lockId, reason }: LockLifted, fact: StoredFact, tx: Tx): void {
    tx.send(
      `update ${table} set lifted_later = true, version = $2 where lock_id = $1`,
      [lockId, fact.version],
      'stop.end',
    );
    tx.send<PlacedRow>(
      `insert into ${table} (seq, kind, target_id, not_before, expire_time, reason, lock_id, lifted, lifted_later, version)
       select (select max(seq) from ${table}) + 1, kind, target_id, not_before, expire_time, $2, lock_id, true, true, $3::int
       from ${table} where lock_id = $1 and not lifted
       ${returning}`,
      [lockId, reason, fact.version],
      'stop.lift',
      this.#heard(),
    );
  }

  /** While the view is filled again there is nobody to tell, and nothing is kept for them. */
  #heard(): ((answer: QueryAnswer<PlacedRow>) => void) | undefined {
    if (this.#listeners.size === 0) return undefined;
    return ({ rows }) => {
      for (const placed of rows.map(placedOf)) for (const listener of this.#listeners) listener(placed);
    };
  }
}
