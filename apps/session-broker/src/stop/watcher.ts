import type { WatchEntry, WatchResponse } from '@writ/contracts/writ/watch/v1/watch.js';

/** What a watcher needs of its stream. */
export interface WatchStream {
  write(message: WatchResponse): boolean;
  once(event: 'drain', listener: () => void): unknown;
  /** Ends the stream with RESOURCE_EXHAUSTED: its client connects again and is brought up to date. */
  fail(): void;
  end(): void;
}

const QUEUE_MAX = 1_024;
const BLOCKED_MS_MAX = 1_000;
const CHUNK_ENTRIES = 500;

/** One enforcement point that listens. A slow one is cut off, so that memory stays bounded and nobody else waits. */
export class Watcher {
  #acked = 0;
  #blocked: NodeJS.Timeout | undefined;
  #queued = 0;
  #over = false;
  readonly #waiting = new Set<{ seq: number; resolve: () => void }>();
  readonly #onEnd: (() => void)[] = [];

  constructor(
    readonly pointId: string,
    private readonly stream: WatchStream,
  ) {}

  get ackedSeq(): number {
    return this.#acked;
  }

  send(message: WatchResponse): void {
    if (this.#over) return;
    const flows = this.stream.write(message);
    if (flows) return;
    this.#queued += 1;
    if (this.#queued > QUEUE_MAX) {
      this.#cutOff();
      return;
    }
    if (this.#blocked !== undefined) return;
    this.#blocked = setTimeout(() => this.#cutOff(), BLOCKED_MS_MAX);
    this.stream.once('drain', () => {
      clearTimeout(this.#blocked);
      this.#blocked = undefined;
      this.#queued = 0;
    });
  }

  sendFullState(epoch: string, seq: number, entries: readonly WatchEntry[]): void {
    for (let from = 0; from === 0 || from < entries.length; from += CHUNK_ENTRIES) {
      const chunk = entries.slice(from, from + CHUNK_ENTRIES);
      const lastChunk = from + CHUNK_ENTRIES >= entries.length;
      this.send({
        down: { $case: 'fullState', value: { epoch, seq: BigInt(seq), entries: chunk, lastChunk } },
      });
    }
  }

  ack(seq: number): void {
    this.#acked = Math.max(this.#acked, seq);
    for (const waiter of this.#waiting) {
      if (waiter.seq > this.#acked) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }

  acknowledged(seq: number): Promise<void> {
    if (this.#acked >= seq || this.#over) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ seq, resolve }));
  }

  onEnd(run: () => void): void {
    if (this.#over) run();
    else this.#onEnd.push(run);
  }

  /** The client is gone, or has been told to go. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#blocked);
    for (const { resolve } of this.#waiting) resolve();
    for (const run of this.#onEnd) run();
  }

  end(): void {
    if (this.#over) return;
    this.closed();
    this.stream.end();
  }

  #cutOff(): void {
    if (this.#over) return;
    this.closed();
    this.stream.fail();
  }
}
