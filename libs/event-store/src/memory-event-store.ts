import type { Tx } from './database.js';
import { checkAppends, conflict, EventStore, type LongStream, meets } from './event-store.js';
import { type Append, becameLong, metaOf, type StoredFact } from './fact.js';
import { Wakes } from './wakes.js';

/** There is no SQL here, and no transaction to join. */
const noSql: Tx = {
  query: () => Promise.reject(new Error('the memory store has no SQL')),
  afterCommit: () => {
    throw new Error('the memory store has no SQL');
  },
};

/** The facts of one service in this process, for rules and simulations that need no disk. Gone with the process. */
export class MemoryEventStore extends EventStore {
  private readonly all: StoredFact[] = [];
  private readonly versions = new Map<string, number>();
  private readonly wakes = new Wakes();
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly onLongStream?: LongStream) {
    super();
  }

  async read(streamId: string, tx?: Tx): Promise<StoredFact[]> {
    refuseTx(tx);
    return this.all.filter((fact) => fact.streamId === streamId);
  }

  async append(
    appends: readonly Append[],
    inTx?: (tx: Tx, stored: readonly StoredFact[]) => Promise<void>,
    tx?: Tx,
  ): Promise<StoredFact[]> {
    refuseTx(tx);
    if (appends.length === 0) return [];
    checkAppends(appends);
    const turn = this.last.then(() => this.commit(appends, inTx));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  async readAfter(pos: number, limit: number): Promise<StoredFact[]> {
    return this.all.slice(pos, pos + limit);
  }

  async head(): Promise<number> {
    return this.all.length;
  }

  onAppend(wake: () => void): () => void {
    return this.wakes.add(wake);
  }

  private async commit(
    appends: readonly Append[],
    inTx: ((tx: Tx, stored: readonly StoredFact[]) => Promise<void>) | undefined,
  ): Promise<StoredFact[]> {
    const versions = new Map<string, number>();
    const stored: StoredFact[] = [];
    const long: [string, number][] = [];
    for (const { streamId, partKey, expected, facts, call } of appends) {
      let version = versions.get(streamId) ?? this.versions.get(streamId) ?? 0;
      if (!meets(expected, version)) throw conflict(streamId, version, expected);
      for (const { type, data } of facts) {
        version += 1;
        const pos = this.all.length + stored.length + 1;
        const fact = {
          pos,
          id: call.newEventId(),
          streamId,
          version,
          type,
          partKey,
          at: call.at,
          meta: metaOf(call),
        };
        stored.push({ ...fact, data: data.slice() });
      }
      versions.set(streamId, version);
      if (becameLong(version, facts.length)) long.push([streamId, version]);
    }
    await inTx?.(noSql, stored);
    this.all.push(...stored);
    for (const [streamId, version] of versions) this.versions.set(streamId, version);
    for (const [streamId, facts] of long) this.onLongStream?.(streamId, facts);
    this.wakes.wake();
    return stored;
  }
}

function refuseTx(tx: Tx | undefined): void {
  if (tx) throw new Error('the memory store joins no SQL transaction');
}
