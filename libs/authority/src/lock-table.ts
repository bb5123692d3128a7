/**
 * The stop orders that are known here, as the watch feed brings them, and the question asked before every
 * decision: is anyone in this chain stopped?
 *
 * - While a lock is in force, everything on its target is denied, whenever it was issued.
 * - A stop is also a cut-off: when the lock has expired or was lifted, what was issued at or before
 *   `notBeforeMs` stays denied until it is opened anew. A stolen session does not come back to life with
 *   the agent.
 * - A revoked mandate or delegation and an ended session are entries without a lock: in force for good.
 */

export const lockKinds = [
  'everything',
  'session',
  'agent',
  'blueprint',
  'owner',
  'person',
  'tool',
  'mandate',
  'delegation',
] as const;

export type LockKind = (typeof lockKinds)[number];

/** Who or what takes part in an action. */
export interface Principal {
  readonly kind: Exclude<LockKind, 'everything'>;
  readonly id: string;
}

export interface LockEntry {
  /** Position in the watch feed; contiguous from 1. */
  readonly seq: number;
  readonly kind: LockKind;
  /** Id of the target; empty for everything. */
  readonly target: string;
  /** By the clock of the issuer of sessions, never by ours. */
  readonly notBeforeMs: number;
  /** Left out: until lifted. */
  readonly expiresMs?: number;
  readonly reason: string;
  /** `lck_…`; empty for revoked mandates and delegations and for ended sessions, which nothing lifts. */
  readonly lockId: string;
  /** True when this entry ends the lock of `lockId`. */
  readonly lifted?: boolean;
}

interface Target {
  /** Placed and not lifted, by lock. */
  readonly locks: Map<string, LockEntry>;
  /** Of `locks`, the one that lasts longest: if it has expired, all have. */
  longest: LockEntry | undefined;
  /** The latest cut-off that was ever set. */
  cutOff: LockEntry;
}

/** Each answer costs one map look-up per principal. */
export class LockTable {
  #targets = emptyTargets();
  #seq = 0;

  /** What the table is as of. */
  get seq(): number {
    return this.#seq;
  }

  /** Replaces everything that is known. Throws, and changes nothing, when an entry is not well formed. */
  applyFull(full: { readonly seq: number; readonly entries: readonly LockEntry[] }): void {
    const targets = emptyTargets();
    for (const entry of [...full.entries].sort((a, b) => a.seq - b.seq)) {
      if (entry.seq > full.seq)
        throw new RangeError(`entry ${entry.seq} lies behind the full state of ${full.seq}`);
      place(targets, entry);
    }
    this.#targets = targets;
    this.#seq = full.seq;
  }

  /**
   * Adds the next entry. `known`: it was here already, nothing changed. `gap`: entries before it are
   * missing, nothing changed; callers MUST deny until they have loaded the full state.
   */
  applyDelta(entry: LockEntry): 'applied' | 'known' | 'gap' {
    if (entry.seq <= this.#seq) return 'known';
    if (entry.seq !== this.#seq + 1) return 'gap';
    place(this.#targets, entry);
    this.#seq = entry.seq;
    return 'applied';
  }

  /**
   * The entry that stops an action of these principals, if any; a lock on everything stops all.
   * @param issuedAtMs when the session was opened: a fresh token of an old session is as old as its session
   */
  blockedBy(o: {
    readonly principals: readonly Principal[];
    readonly issuedAtMs: number;
    readonly nowMs: number;
  }): LockEntry | undefined {
    const everything = this.#targets.everything.get('');
    const stop = everything && stopOf(everything, o.issuedAtMs, o.nowMs);
    if (stop !== undefined) return stop;
    for (const { kind, id } of o.principals) {
      const target = this.#targets[kind].get(id);
      const found = target && stopOf(target, o.issuedAtMs, o.nowMs);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Forgets targets on which nothing is in force and whose cut-off lies before `issuedAtMs`: callers MUST
   * know that nothing issued before it still lives (longest session plus clock skew). So are sessions that
   * have ended before it, though their end is in force for good: their ids are never used again. Returns how
   * many were forgotten.
   */
  prune(o: { readonly issuedAtMs: number; readonly nowMs: number }): number {
    let forgotten = 0;
    for (const kind of lockKinds)
      for (const [id, target] of this.#targets[kind])
        if (isOver(kind, target, o) || stopOf(target, o.issuedAtMs, o.nowMs) === undefined) {
          this.#targets[kind].delete(id);
          forgotten += 1;
        }
    return forgotten;
  }
}

function emptyTargets(): Record<LockKind, Map<string, Target>> {
  const targets: Partial<Record<LockKind, Map<string, Target>>> = {};
  for (const kind of lockKinds) targets[kind] = new Map();
  return targets as Record<LockKind, Map<string, Target>>;
}

function place(targets: Record<LockKind, Map<string, Target>>, entry: LockEntry): void {
  requireWellFormed(entry);
  const ofKind = targets[entry.kind];
  const target = ofKind.get(entry.target) ?? { locks: new Map(), longest: undefined, cutOff: entry };
  ofKind.set(entry.target, target);
  // What has no lock is kept by its position, so that no later entry can shorten or lift it.
  if (entry.lifted) target.locks.delete(entry.lockId);
  else target.locks.set(entry.lockId === '' ? `#${entry.seq}` : entry.lockId, entry);
  if (entry.notBeforeMs > target.cutOff.notBeforeMs) target.cutOff = entry;
  target.longest = undefined;
  for (const lock of target.locks.values())
    if (target.longest === undefined || endMs(lock) > endMs(target.longest)) target.longest = lock;
}

function stopOf({ longest, cutOff }: Target, issuedAtMs: number, nowMs: number): LockEntry | undefined {
  if (longest !== undefined && !(nowMs >= endMs(longest))) return longest;
  return issuedAtMs > cutOff.notBeforeMs ? undefined : cutOff;
}

/** A session that ended before `issuedAtMs`, which was opened earlier still; a lock that is in force on it stays. */
function isOver(
  kind: LockKind,
  { locks, cutOff }: Target,
  { issuedAtMs, nowMs }: { issuedAtMs: number; nowMs: number },
): boolean {
  if (kind !== 'session' || cutOff.notBeforeMs >= issuedAtMs) return false;
  return [...locks.values()].every((entry) => entry.lockId === '' || nowMs >= endMs(entry));
}

function endMs({ expiresMs }: LockEntry): number {
  return expiresMs ?? Number.POSITIVE_INFINITY;
}

function requireWellFormed({ seq, kind, target, notBeforeMs, expiresMs, lockId, lifted }: LockEntry): void {
  const wrong = (what: string) => new RangeError(`lock entry ${seq}: ${what}`);
  if (!Number.isSafeInteger(seq) || seq < 1) throw wrong('`seq` must be a whole number from 1');
  if (!lockKinds.includes(kind)) throw wrong('`kind` is not known');
  if ((kind === 'everything') !== (target === ''))
    throw wrong('only a lock on everything has an empty target');
  if (!Number.isFinite(notBeforeMs)) throw wrong('`notBeforeMs` must be a time');
  if (expiresMs !== undefined && !Number.isFinite(expiresMs)) throw wrong('`expiresMs` must be a time');
  if (lifted && lockId === '') throw wrong('what has no lock cannot be lifted');
}
