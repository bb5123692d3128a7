import { Injectable } from '@nestjs/common';
import { type WatchEntry, WatchResponse } from '@writ/contracts/writ/watch/v1/watch.js';
import { type Refusal, refusals } from '@writ/kernel';
import { Background, Clock, every, Telemetry } from '@writ/service';
import { inTurns } from '../turns.js';
import type { PlacedStop } from './stop.sql.js';
import { type StopReading, StopView } from './stop.view.js';
import type { Watcher } from './watcher.background.js';

const POLL_EVERY_MS = 200;
const HEARTBEAT_EVERY_MS = 1_000;
const ENTRIES_PER_READ = 500;
const CHUNK_ENTRIES = 500;

export const refuseWatch = refusals({
  WATCH_HELLO_EXPECTED: 'invalid',
  WATCH_TOO_SLOW: 'exhausted',
  WATCH_EPOCH_CHANGED: 'unavailable',
  WATCH_STATE_UNREADABLE: 'unavailable',
  WATCH_STOPPING: 'unavailable',
});

/**
 * Pushes stop orders to everybody who watches this replica, never before their commit: those placed here as soon as it is
 * known, from what their transaction saw; those of other replicas when the poll reads them. While it cannot read, it
 * counts nothing in heartbeats, so that points notice the silence and deny.
 */
@Injectable()
export class StopFeed extends Background {
  readonly #watchers = new Set<Watcher>();
  /** The last order that every watcher of this replica was sent. */
  #seq = 0;
  /** Empty before the first reading. */
  #epoch = '';
  #stops: (() => unknown)[] = [];

  /** Takes in what is committed at the time of the call, and pushes it. */
  readonly push = inTurns(() => this.#read());

  constructor(
    private readonly view: StopView,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    const warn = (cause: unknown) => this.telemetry.log.warn({ err: cause }, 'stop orders were not read');
    this.#stops = [
      this.view.onPlaced((placed) => {
        if (!this.#follows(placed)) void this.push().catch(warn);
      }),
      every(POLL_EVERY_MS, () => this.push(), warn),
      every(HEARTBEAT_EVERY_MS, () => this.#beat(), warn),
    ];
    await this.push();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    this.#closeAll(refuseWatch('WATCH_STOPPING', 'the server is stopping; connect again'));
  }

  /** Brings a watcher up to date and keeps it so: from `lastSeq` where it may go on, else by the full state. */
  async add(watcher: Watcher, hello: { readonly epoch: string; readonly lastSeq: number }): Promise<void> {
    await this.push();
    // From this moment on the watcher is given every order; it holds back those after `seq` until the state is sent.
    const [epoch, seq] = [this.#epoch, this.#seq];
    this.#watchers.add(watcher);
    watcher.onOver(() => this.#watchers.delete(watcher));
    const behind = seq - hello.lastSeq;
    const goesOn = hello.epoch === epoch && hello.lastSeq >= 0 && behind >= 0 && behind <= ENTRIES_PER_READ;
    const state = goesOn
      ? (await this.view.between(hello.lastSeq, seq)).map(deltaBytes)
      : stateBytes(epoch, seq, await this.view.fullState(seq, this.clock.now()));
    await watcher.begin(state, seq);
    watcher.beat(this.#heartbeat());
  }

  /** Waits up to `withinMs` until every watcher has confirmed `seq`. */
  async confirmed(seq: number, withinMs: number): Promise<{ watching: number; confirmed: number }> {
    const watchers = [...this.#watchers];
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    const waits = watchers.map((watcher) => watcher.acknowledged(seq));
    await Promise.race([Promise.all(waits.map(({ confirmed }) => confirmed)), timeout]);
    clearTimeout(timer);
    for (const wait of waits) wait.cancel();
    return {
      watching: watchers.length,
      confirmed: watchers.filter((watcher) => watcher.ackedSeq >= seq).length,
    };
  }

  /**
   * Pushes an order whose commit is known, when it is the next. It is not when another replica has placed one meanwhile,
   * when this process heard of a later commit first, or when the database is not what it was: then reading tells.
   */
  #follows({ epoch, moved, entry }: PlacedStop): boolean {
    const isNext = !moved && epoch === this.#epoch && Number(entry.seq) === this.#seq + 1;
    if (isNext) this.#order(entry);
    return isNext;
  }

  #order(entry: WatchEntry): void {
    this.#seq = Number(entry.seq);
    const bytes = deltaBytes(entry);
    for (const watcher of this.#watchers) watcher.order(this.#seq, bytes);
  }

  async #read(): Promise<void> {
    for (;;) {
      // Meanwhile orders that follow may be pushed: the answer may be older than what was sent, and hold it once more.
      const from = this.#seq;
      const reading = await this.view.since(from, ENTRIES_PER_READ);
      if (reading.moved) {
        await this.view.adoptCluster();
        continue;
      }
      if (reading.epoch === this.#epoch && reading.head < from) {
        await this.view.renewEpoch(this.#epoch);
        continue;
      }
      if (reading.epoch !== this.#epoch) {
        this.#startOver(reading);
        return;
      }
      for (const entry of reading.entries) if (Number(entry.seq) > this.#seq) this.#order(entry);
      if (reading.entries.length < ENTRIES_PER_READ) return;
    }
  }

  /** Numbers of another epoch mean other orders: whoever holds the old ones loads everything again and denies meanwhile. */
  #startOver({ epoch, head }: StopReading): void {
    if (this.#epoch !== '') {
      this.telemetry.log.warn({ epoch, head }, 'the stop orders were restored; every point starts over');
    }
    this.#epoch = epoch;
    this.#seq = head;
    const bytes = this.#heartbeat();
    for (const watcher of this.#watchers) watcher.beat(bytes);
    this.#closeAll(refuseWatch('WATCH_EPOCH_CHANGED', 'the stop orders have a new epoch; load all of them'));
  }

  async #beat(): Promise<void> {
    await this.push();
    const bytes = this.#heartbeat();
    for (const watcher of this.#watchers) watcher.beat(bytes);
  }

  #closeAll(refusal: Refusal): void {
    for (const watcher of this.#watchers) watcher.close(refusal);
  }

  #heartbeat(): Buffer {
    const value = { epoch: this.#epoch, headSeq: BigInt(this.#seq), serverTime: this.clock.now() };
    return bytesOf({ $case: 'heartbeat', value });
  }
}

function bytesOf(down: NonNullable<WatchResponse['down']>): Buffer {
  return Buffer.from(WatchResponse.encode({ down }).finish());
}

function deltaBytes(value: WatchEntry): Buffer {
  return bytesOf({ $case: 'delta', value });
}

function stateBytes(epoch: string, seq: number, entries: readonly WatchEntry[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from === 0 || from < entries.length; from += CHUNK_ENTRIES) {
    const lastChunk = from + CHUNK_ENTRIES >= entries.length;
    const value = { epoch, seq: BigInt(seq), entries: entries.slice(from, from + CHUNK_ENTRIES), lastChunk };
    chunks.push(bytesOf({ $case: 'fullState', value }));
  }
  return chunks;
}
