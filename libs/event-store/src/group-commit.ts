import { Refusal, refusals } from '@writ/kernel';
import type { Database, Tx } from './database.js';
import type { EventStore } from './event-store.js';
import type { Append, StoredFact } from './fact.js';

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
   * Called again for parts of a group when one of its facts is too large.
   */
  prepare(tx: Tx, items: readonly Item[]): Promise<readonly Prepared<Outcome>[]>;
  /** Runs after the append in the same transaction. */
  readonly inTx?: (tx: Tx, stored: readonly StoredFact[]) => Promise<void>;
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

/**
 * Many small appends in one transaction. A group is what came while the one before was being written: no timer, so a
 * lone item does not wait and a busy time makes large groups.
 */
export class GroupCommit<Item, Outcome = undefined> {
  private readonly waiting: Waiter<Item, Outcome>[] = [];
  private running: Promise<void> | undefined;
  private closing = false;

  constructor(private readonly settings: GroupCommitSettings<Item, Outcome>) {}

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
      this.running ??= this.run();
    });
  }

  /** Takes no more items and resolves when those that wait have their answers. */
  async close(): Promise<void> {
    this.closing = true;
    await this.running;
  }

  private async run(): Promise<void> {
    // One turn later, so that items of the same moment share the first group.
    await Promise.resolve();
    while (this.waiting.length > 0) await this.flush(this.waiting.splice(0, this.settings.itemsMax ?? 500));
    this.running = undefined;
  }

  private async flush(group: readonly Waiter<Item, Outcome>[]): Promise<void> {
    const { database, store, inTx } = this.settings;
    try {
      const { prepared, stored } = await database.transaction(async (tx) => {
        const answers = await this.settings.prepare(
          tx,
          group.map(({ item }) => item),
        );
        if (answers.length !== group.length)
          throw new Error(`${answers.length} answers were prepared for ${group.length} items`);
        const appends = answers.flatMap((answer) => ('refused' in answer ? [] : answer.appends));
        return { prepared: answers, stored: await store.append(appends, inTx, tx) };
      });
      settle(group, prepared, stored);
    } catch (cause) {
      const middle = group.length >> 1;
      if (middle > 0 && isTooLarge(cause)) {
        // Nothing was stored or reserved: in halves, so that only whose fact it is hears of it.
        await this.flush(group.slice(0, middle));
        await this.flush(group.slice(middle));
        return;
      }
      for (const waiter of group) waiter.reject(cause);
    }
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
