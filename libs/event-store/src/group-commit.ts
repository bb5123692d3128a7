import { Refusal, refusals } from '@writ/kernel';
import type { Database } from './database.js';
import type { Beside, EventStore } from './event-store.js';
import type { Append, StoredFact } from './fact.js';
import type { Lane } from './lane.js';
import type { LateTx } from './late-tx.js';
import type { Statements } from './tx.js';

export const refuseGroup = refusals({ TOO_MANY_WAITING: 'exhausted', CLOSING: 'unavailable' });

/** What becomes of one item: facts and what its waiter is told, or a refusal for this waiter alone. */
export type Prepared<Outcome> =
  | { readonly appends: readonly Append[]; readonly outcome: Outcome }
  | { readonly refused: Error };

export interface GroupCommitSettings<Item, Outcome> {
  readonly database: Database;
  readonly store: EventStore;
  /**
   * Decides what is stored for each item, in their order, in the transaction that stores it: the place to reserve what
   * must not be overdrawn. Appends SHOULD expect `'any'` or `'none'`; one conflict fails the whole group.
   * What asks nothing of `tx` is appended by one statement, without a transaction around it. Called again for parts of a
   * group when one of its facts is too large.
   */
  prepare(tx: Statements, items: readonly Item[]): Promise<readonly Prepared<Outcome>[]>;
  /** What is written beside the facts of a group, by what was prepared for its items. */
  readonly beside?: (outcomes: readonly Outcome[]) => Beside;
  /** Items per transaction; 500 unless given. */
  readonly itemsMax?: number;
  /** Items that wait; 10 000 unless given. */
  readonly waitingMax?: number;
}

export interface Committed<Outcome> {
  readonly outcome: Outcome;
  readonly facts: readonly StoredFact[];
}

interface Waiter<Item, Outcome> {
  readonly item: Item;
  resolve(committed: Committed<Outcome>): void;
  reject(cause: unknown): void;
}

/** Beside the group that is being written one more may be under way. */
const GROUPS_MAX = 2;
/** The second one does not go with less: each group costs a statement and a commit, however small it is. */
const SECOND_ITEMS_MIN = 16;

/**
 * Many small appends in one transaction. A group is what came while the one before was being written: no timer, so a
 * lone item does not wait and a busy time makes large groups. When many wait already, they are sent behind the group
 * that is being written, on its connection: facts are stored in the order in which their items were submitted.
 */
export class GroupCommit<Item, Outcome = undefined> {
  private readonly waiting: Waiter<Item, Outcome>[] = [];
  private readonly underWay = new Set<Promise<void>>();
  /** Whether what is sent now is executed behind everything that was taken before. */
  private inOrder = true;
  private readonly lane: Lane;
  private closing = false;
  private starting: Promise<void> | undefined;

  constructor(private readonly settings: GroupCommitSettings<Item, Outcome>) {
    this.lane = settings.database.lane();
  }

  /**
   * Resolves with the item's own facts when they are durable, never before. When it rejects, nothing of the item was
   * stored, unless the connection broke at the commit: then the outcome is unknown.
   *
   * @throws Refusal TOO_MANY_WAITING, CLOSING, or what `prepare` refused
   */
  submit(item: Item): Promise<Committed<Outcome>> {
    const waitingMax = this.settings.waitingMax ?? 10_000;
    if (this.closing) return Promise.reject(refuseGroup('CLOSING', 'the service is stopping; ask another'));
    if (this.waiting.length >= waitingMax)
      return Promise.reject(
        refuseGroup('TOO_MANY_WAITING', `${waitingMax} are waiting already; try again later`),
      );
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.underWay.size > 0) this.next();
      // One turn later, so that items of the same moment share the first group.
      else
        this.starting ??= Promise.resolve().then(() => {
          this.starting = undefined;
          this.next();
        });
    });
  }

  /** Takes no more items and resolves when those that wait have their answers. */
  async close(): Promise<void> {
    this.closing = true;
    await this.starting;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private next(): void {
    while (this.waiting.length > 0 && this.mayStart()) {
      this.inOrder = false;
      const group = this.waiting.splice(0, this.settings.itemsMax ?? 500);
      const before = Promise.all(this.underWay).then(() => undefined);
      const writing = this.write(group, before, () => this.sent()).then(() => {
        this.underWay.delete(writing);
        if (this.underWay.size === 0) this.inOrder = true;
        this.next();
      });
      this.underWay.add(writing);
    }
  }

  private mayStart(): boolean {
    if (this.underWay.size === 0) return true;
    return this.inOrder && this.underWay.size < GROUPS_MAX && this.waiting.length >= SECOND_ITEMS_MIN;
  }

  /**
   * @param before resolves when the groups that were taken before have ended
   * @param onSent called when the last of it is on the lane; not at all when it went another way
   */
  private async write(
    group: readonly Waiter<Item, Outcome>[],
    before: Promise<void>,
    onSent: () => void,
  ): Promise<void> {
    try {
      const { prepared, stored } = await this.settings.database.transactionIfAsked(
        (tx) => this.store(tx, group, onSent),
        before,
      );
      settle(group, prepared, stored);
    } catch (cause) {
      const middle = group.length >> 1;
      if (middle > 0 && isTooLarge(cause)) {
        // Nothing was stored or reserved: in halves, so that only whose fact it is hears of it.
        await this.write(group.slice(0, middle), before, () => undefined);
        await this.write(group.slice(middle), before, () => undefined);
        return;
      }
      for (const waiter of group) waiter.reject(cause);
    }
  }

  private async store(tx: LateTx, group: readonly Waiter<Item, Outcome>[], onSent: () => void) {
    const { store, beside } = this.settings;
    const prepared = await this.settings.prepare(
      tx,
      group.map(({ item }) => item),
    );
    if (prepared.length !== group.length)
      throw new Error(`${prepared.length} answers were prepared for ${group.length} items`);
    const storing = prepared.flatMap((answer) =>
      'refused' in answer || answer.appends.length === 0 ? [] : [answer],
    );
    const stored = await store.appendOn(
      tx.ifBegun ?? this.lane.telling(onSent),
      storing.flatMap(({ appends }) => appends),
      beside?.(storing.map(({ outcome }) => outcome)),
    );
    return { prepared, stored };
  }

  /** The newest group is on the lane: another one may follow it there. */
  private sent(): void {
    this.inOrder = true;
    this.next();
  }
}

function isTooLarge(thrown: unknown): boolean {
  return thrown instanceof Refusal && thrown.code === 'FACT_TOO_LARGE';
}

function settle<Item, Outcome>(
  group: readonly Waiter<Item, Outcome>[],
  prepared: readonly Prepared<Outcome>[],
  stored: readonly StoredFact[],
): void {
  let from = 0;
  prepared.forEach((answer, place) => {
    const waiter = group[place] as Waiter<Item, Outcome>;
    if ('refused' in answer) {
      waiter.reject(answer.refused);
      return;
    }
    const count = answer.appends.reduce((sum, { facts }) => sum + facts.length, 0);
    waiter.resolve({ outcome: answer.outcome, facts: stored.slice(from, from + count) });
    from += count;
  });
}
