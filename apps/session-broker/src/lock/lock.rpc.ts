import { Injectable } from '@nestjs/common';
import {
  type GetLockRequest,
  type LiftLockRequest,
  type ListLocksRequest,
  type ListLocksResponse,
  type Lock as LockMessage,
  LockServiceService,
  LockState,
  type PlaceLockRequest,
  type PlaceLockResponse,
} from '@writ/contracts/writ/session/v1/lock.js';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { CommandHandler } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  Clock,
  check,
  enumValue,
  id,
  Pages,
  type Problem,
  required,
  text,
  timestamp,
} from '@writ/service';
import { StopFeed } from '../stop/stop.background.js';
import type { LockRow } from '../stop/stop.sql.js';
import { StopView } from '../stop/stop.view.js';
import { lockFacts } from './lock.facts.js';
import { type LockCommand, lockDecider, refuse } from './lock.js';

/** How long the caller waits for the points to confirm; the lock is durable by then, whatever they do. */
const CONFIRM_MS_MAX = 50;

const readers = ['role:admin', 'role:operator', 'role:auditor', 'role:security'] as const;

export const lockAccess = {
  placeLock: ['role:security', 'role:admin', 'role:operator', 'service:monitor'],
  liftLock: ['role:security', 'role:admin'],
  getLock: readers,
  listLocks: readers,
} as const satisfies Access<typeof LockServiceService>;

const stateFilters: Readonly<Record<number, 'any' | 'in-force' | 'lifted' | 'expired'>> = {
  [LockState.LOCK_STATE_UNSPECIFIED]: 'any',
  [LockState.LOCK_STATE_IN_FORCE]: 'in-force',
  [LockState.LOCK_STATE_LIFTED]: 'lifted',
  [LockState.LOCK_STATE_EXPIRED]: 'expired',
};

function targetProblem(kind: LockTargetKind, targetId: string): Problem {
  switch (kind) {
    case LockTargetKind.LOCK_TARGET_KIND_SESSION:
      return id('ses', targetId);
    case LockTargetKind.LOCK_TARGET_KIND_AGENT:
      return id('agt', targetId);
    case LockTargetKind.LOCK_TARGET_KIND_BLUEPRINT:
      return id('bpr', targetId);
    case LockTargetKind.LOCK_TARGET_KIND_PERSON:
      return id('psn', targetId);
    case LockTargetKind.LOCK_TARGET_KIND_EVERYTHING:
      return targetId === '' ? undefined : 'must be empty when everything is locked';
    default:
      return required(targetId, text(targetId, { max: 512 }));
  }
}

@Injectable()
export class LockRpc implements Calls<typeof LockServiceService> {
  static readonly service = LockServiceService;
  static readonly access = lockAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly stops: StopView,
    private readonly feed: StopFeed,
    private readonly clock: Clock,
    private readonly pages: Pages,
  ) {}

  async placeLock(request: PlaceLockRequest, call: Call): Promise<PlaceLockResponse> {
    const { targetKind, targetId, reason, expireTime } = request;
    check({
      targetKind: enumValue(LockTargetKind, targetKind),
      targetId: targetProblem(targetKind, targetId),
      reason: text(reason, { max: 500 }),
      expireTime: expireTime === undefined ? undefined : timestamp(expireTime, { after: call.at }),
    });
    const lockId = call.newId('lck');
    const command = {
      type: 'PlaceLock',
      lock: { lockId, targetKind, targetId, reason, expireTime },
      at: call.at,
    } as const;
    const lock = await this.#place(call, command, lockId, targetId);
    const { watching, confirmed } = await this.feed.confirmed(Number(lock.seq), CONFIRM_MS_MAX);
    return { lock, pointsWatching: watching, pointsConfirmed: confirmed };
  }

  async liftLock({ lockId, reason, etag }: LiftLockRequest, call: Call): Promise<LockMessage> {
    check({ lockId: id('lck', lockId), reason: text(reason, { max: 500 }) });
    const targetId = (await this.stops.lock(lockId))?.targetId ?? lockId;
    const command = { type: 'LiftLock', lockId, reason } as const;
    const streamId = await this.#change(call, command, lockId, targetId, { expectedEtag: etag });
    return this.#message(lockIdOf(streamId));
  }

  async getLock({ lockId }: GetLockRequest): Promise<LockMessage> {
    check({ lockId: id('lck', lockId) });
    return this.#message(lockId);
  }

  async listLocks(request: ListLocksRequest, call: Call): Promise<ListLocksResponse> {
    check({ state: request.state === 0 ? undefined : enumValue(LockState, request.state) });
    const state = stateFilters[request.state] ?? 'any';
    const page = this.pages.open(request, { list: 'locks', state, caller: call.actor });
    const rows = await this.stops.locks(page.after, page.size + 1, state, call.at);
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.lockId);
    return { locks: shown.map((row) => lockMessage(row, call.at)), nextPageToken };
  }

  async #place(call: Call, command: LockCommand, lockId: string, targetId: string): Promise<LockMessage> {
    let placed: LockRow | undefined;
    const stopListening = this.stops.onPlaced(({ lock }) => {
      if (lock.lockId === lockId) placed = lock;
    });
    try {
      const streamId = await this.#change(call, command, lockId, targetId, { begins: true });
      // Nothing was placed now where an earlier request with the same id did it.
      return placed === undefined ? await this.#message(lockIdOf(streamId)) : lockMessage(placed, call.at);
    } finally {
      stopListening();
    }
  }

  /** Answers the name of the lock's stream. */
  async #change(
    call: Call,
    command: LockCommand,
    lockId: string,
    targetId: string,
    wish: { begins?: boolean; expectedEtag?: string },
  ): Promise<string> {
    const order = { decider: lockDecider, facts: lockFacts, streamId: streamIdOf(lockId), kind: 'lock' };
    const partKey = targetId === '' ? lockId : targetId;
    const { streamId } = await this.commands.handle({ ...order, partKey, command, call, ...wish });
    return streamId;
  }

  async #message(lockId: string): Promise<LockMessage> {
    const row = await this.stops.lock(lockId);
    if (row === undefined) throw refuse('LOCK_UNKNOWN', `no lock \`${lockId}\``);
    return lockMessage(row, this.clock.now());
  }
}

const streamIdOf = (lockId: string) => `lock-${lockId}`;
const lockIdOf = (streamId: string) => streamId.slice('lock-'.length);

function lockMessage(row: LockRow, at: Date): LockMessage {
  const { lockId, kind, targetId, reason, placedAt, expireTime, lifted, seq, etag } = row;
  const expired = expireTime !== undefined && expireTime <= at;
  const ended = expired ? LockState.LOCK_STATE_EXPIRED : LockState.LOCK_STATE_IN_FORCE;
  const state = lifted ? LockState.LOCK_STATE_LIFTED : ended;
  const name = `locks/${lockId}`;
  return {
    name,
    lockId,
    targetKind: kind,
    targetId,
    reason,
    placeTime: placedAt,
    expireTime,
    state,
    seq: BigInt(seq),
    etag,
  };
}
