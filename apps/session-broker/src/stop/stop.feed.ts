import { Injectable } from '@nestjs/common';
import type { WatchEntry, WatchResponse } from '@writ/contracts/writ/watch/v1/watch.js';
import { EventStore } from '@writ/event-store';
import { Background, Clock, every, Telemetry } from '@writ/service';
import { StopView } from './stop.view.js';
import type { Watcher } from './watcher.js';

const POLL_EVERY_MS = 200;
const HEARTBEAT_EVERY_MS = 1_000;
const ENTRIES_PER_READ = 500;

/**
 * Pushes stop orders to everybody who watches this replica: those placed here right after their commit, those of other
 * replicas when the poll sees them. Never before the commit: it reads what is committed.
 */
@Injectable()
export class StopFeed extends Background {
  readonly #watchers = new Set<Watcher>();
  #seq = 0;
  #epoch = '';
  #reading: Promise<void> | undefined;
  #again = false;
  #stops: (() => Promise<void>)[] = [];

  constructor(
    private readonly view: StopView,
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#epoch = await this.view.epoch();
    this.#seq = await this.view.head();
    const warn = (cause: unknown) => this.telemetry.log.warn({ err: cause }, 'stop orders were not read');
    const unwatch = this.store.onAppend(() => void this.push().catch(warn));
    this.#stops = [
      async () => unwatch(),
      every(POLL_EVERY_MS, () => this.push(), warn),
      every(HEARTBEAT_EVERY_MS, async () => this.#beat(), warn),
    ];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    for (const watcher of this.#watchers) watcher.end();
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Takes in what is committed and pushes it. Calls that overlap share one more reading, so that none is missed. */
  push(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Brings a watcher up to date and keeps it so: from `lastSeq` where it may go on, else by the full state. */
  async add(watcher: Watcher, hello: { epoch: string; lastSeq: number }): Promise<void> {
    await this.push();
    if (hello.epoch === this.#epoch && hello.lastSeq > this.#seq) {
      await this.view.newEpoch();
      this.#epoch = await this.view.epoch();
    }
    const seq = this.#seq;
    const goesOn =
      hello.epoch === this.#epoch && hello.lastSeq <= seq && seq - hello.lastSeq <= ENTRIES_PER_READ;
    const entries = goesOn
      ? await this.view.after(hello.lastSeq, ENTRIES_PER_READ)
      : await this.view.fullState(seq);
    if (goesOn) for (const entry of entries) watcher.send(delta(entry));
    else watcher.sendFullState(this.#epoch, seq, entries);
    const sent = goesOn ? Number(entries.at(-1)?.seq ?? hello.lastSeq) : seq;
    // What was committed while this was read has been pushed to the others already.
    for (const entry of sent < this.#seq ? await this.view.after(sent, Number.MAX_SAFE_INTEGER) : [])
      watcher.send(delta(entry));
    this.#watchers.add(watcher);
    watcher.onEnd(() => this.#watchers.delete(watcher));
    watcher.send(this.#heartbeat());
  }

  /** Waits up to `withinMs` until every watcher has confirmed `seq`. */
  async confirmed(seq: number, withinMs: number): Promise<{ watching: number; confirmed: number }> {
    const watchers = [...this.#watchers];
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([Promise.all(watchers.map((watcher) => watcher.acknowledged(seq))), timeout]);
    clearTimeout(timer);
    return {
      watching: watchers.length,
      confirmed: watchers.filter((watcher) => watcher.ackedSeq >= seq).length,
    };
  }

  async #read(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const entries = await this.view.after(this.#seq, ENTRIES_PER_READ);
      for (const entry of entries) this.#broadcast(delta(entry));
      const last = entries.at(-1);
      if (last !== undefined) this.#seq = Number(last.seq);
      if (entries.length === ENTRIES_PER_READ) this.#again = true;
    }
  }

  #beat(): void {
    this.#broadcast(this.#heartbeat());
  }

  #broadcast(message: WatchResponse): void {
    for (const watcher of this.#watchers) watcher.send(message);
  }

  #heartbeat(): WatchResponse {
    const value = { epoch: this.#epoch, headSeq: BigInt(this.#seq), serverTime: this.clock.now() };
    return { down: { $case: 'heartbeat', value } };
  }
}

function delta(entry: WatchEntry): WatchResponse {
  return { down: { $case: 'delta', value: entry } };
}
