import { Injectable } from '@nestjs/common';
import { DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { LockLifted, LockPlaced, type LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEnded } from '@writ/contracts/writ/session/v1/session_facts.js';
import { type WatchEntry, WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { Database, type StoredFact, type Tx, View } from '@writ/event-store';

const table = 'session_broker_view.stop';
/** Sessions live eight hours at most; a day later nothing that an ended one could stop is left. */
const SESSION_ENTRIES_KEPT = '1 day';
/** Mandates live 90 days at most. */
const REVOCATIONS_KEPT = '91 days';

interface RawRow {
  seq: string;
  kind: number;
  target_id: string;
  not_before: Date;
  expire_time: Date | null;
  reason: string;
  lock_id: string;
  lifted: boolean;
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
  readonly version = 1;
  readonly tables = `create table if not exists ${table} (
    seq bigint primary key, kind int not null, target_id text not null, not_before timestamptz not null,
    expire_time timestamptz, reason text not null, lock_id text not null, lifted bool not null default false,
    lifted_later bool not null default false, version int not null);
    create index if not exists stop_lock on ${table} (lock_id) where lock_id <> '';
    create table if not exists session_broker_view.stop_epoch (k bool primary key default true check (k), epoch uuid not null default gen_random_uuid());
    insert into session_broker_view.stop_epoch default values on conflict do nothing`;

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

  async epoch(): Promise<string> {
    const { rows } = await this.database.query<{ epoch: string }>(
      'select epoch from session_broker_view.stop_epoch',
    );
    return rows[0]?.epoch ?? '';
  }

  /** A point has seen more than we have: we were restored. Whoever holds the old epoch must start over. */
  async newEpoch(): Promise<void> {
    await this.database.query('update session_broker_view.stop_epoch set epoch = gen_random_uuid()');
  }

  async head(): Promise<number> {
    const { rows } = await this.database.query<{ seq: string | null }>(
      `select max(seq) as seq from ${table}`,
      [],
      'stop.head',
    );
    return Number(rows[0]?.seq ?? 0);
  }

  async after(seq: number, limit: number): Promise<WatchEntry[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where seq > $1 order by seq limit $2`,
      [seq, limit],
      'stop.after',
    );
    return rows.map(entryOf);
  }

  /** Everything a point has to know as of `seq`, in order. */
  async fullState(seq: number): Promise<WatchEntry[]> {
    const { rows } = await this.database.query<RawRow>(
      `select * from ${table} where seq <= $1 and (
         (kind = ${WatchTargetKind.WATCH_TARGET_KIND_SESSION} and lock_id = '' and not_before > now() - interval '${SESSION_ENTRIES_KEPT}')
         or (kind in (${WatchTargetKind.WATCH_TARGET_KIND_MANDATE}, ${WatchTargetKind.WATCH_TARGET_KIND_DELEGATION}) and not_before > now() - interval '${REVOCATIONS_KEPT}')
         or (lock_id <> '' and (not lifted_later or not_before > now() - interval '${SESSION_ENTRIES_KEPT}')))
       order by seq`,
      [seq],
    );
    return rows.map(entryOf);
  }

  /** The lock in force on any of these targets; undefined when there is none. */
  async lockOn(targets: readonly { kind: number; id: string }[], at: Date): Promise<string | undefined> {
    const { rows } = await this.database.query<{ lock_id: string }>(
      `select lock_id from ${table} s
       where lock_id <> '' and not lifted and not lifted_later and (expire_time is null or expire_time > $3)
         and (kind, target_id) in (select * from unnest($1::int[], $2::text[])) limit 1`,
      [targets.map(({ kind }) => kind), targets.map(({ id }) => id), at],
    );
    return rows[0]?.lock_id;
  }

  async lock(lockId: string): Promise<LockRow | undefined> {
    const { rows } = await this.database.query<RawRow & { lifted_later: boolean; version: number }>(
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
    const { rows } = await this.database.query<RawRow & { lifted_later: boolean; version: number }>(
      `select * from ${table}
       where lock_id > $1 and lock_id <> '' and not lifted
         and ($3 = 'any' or ($3 = 'lifted') = lifted_later)
         and ($3 in ('any', 'lifted') or ($3 = 'expired') = coalesce(expire_time <= $4, false))
       order by lock_id limit $2`,
      [after ?? '', limit, state, at],
    );
    return rows.map(lockOf);
  }

  async #add(
    { kind, targetId, expireTime, reason, lockId = '' }: NewStop,
    fact: StoredFact,
    tx: Tx,
  ): Promise<void> {
    await tx.query(
      `insert into ${table} (seq, kind, target_id, not_before, expire_time, reason, lock_id, version)
       select coalesce(max(seq), 0) + 1, $1, $2, $3, $4, $5, $6, $7 from ${table}`,
      [kind, targetId, fact.at, expireTime ?? null, reason, lockId, fact.version],
    );
  }

  async #lift({ lockId, reason }: LockLifted, fact: StoredFact, tx: Tx): Promise<void> {
    await tx.query(`update ${table} set lifted_later = true, version = $2 where lock_id = $1`, [
      lockId,
      fact.version,
    ]);
    await tx.query(
      `insert into ${table} (seq, kind, target_id, not_before, expire_time, reason, lock_id, lifted, lifted_later, version)
       select (select max(seq) from ${table}) + 1, kind, target_id, not_before, expire_time, $2, lock_id, true, true, $3
       from ${table} where lock_id = $1 and not lifted`,
      [lockId, reason, fact.version],
    );
  }
}

function entryOf(row: RawRow): WatchEntry {
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

function lockOf(row: RawRow & { lifted_later: boolean; version: number }): LockRow {
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
