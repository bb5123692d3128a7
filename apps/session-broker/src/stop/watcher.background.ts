import type { Refusal } from '@writ/kernel';

/** What a watcher needs of its stream. Messages are encoded already, once for all watchers. */
export interface WatchStream {
  /** False when the message had to wait in a queue. */
  write(bytes: Buffer): boolean;
  onceDrained(listener: () => void): void;
}

/** Someone who waits for a point's word. */
export interface Acknowledgement {
  /** Resolves when the point has confirmed, or has gone. */
  readonly confirmed: Promise<void>;
  /** Waits no longer. */
  cancel(): void;
}

const QUEUE_MAX = 1_024;
const BLOCKED_MS_MAX = 1_000;

/**
 * One enforcement point that listens. Orders are held back until the state they build on has been sent. A slow one is
 * cut off, so that memory stays bounded and nobody else waits.
 */
export class Watcher {
  /** Resolves when the point has gone; rejects with the refusal that it is sent away with. */
  readonly over: Promise<void>;
  readonly #end: (refusal: Refusal | undefined) => void;
  readonly #waiting = new Set<{ readonly seq: number; readonly resolve: () => void }>();
  readonly #onOver: (() => void)[] = [];
  #held: { readonly seq: number; readonly bytes: Buffer }[] | undefined = [];
  #sent = 0;
  #acked = 0;
  #queued = 0;
  #blocked: { readonly timer: NodeJS.Timeout; readonly drained: PromiseWithResolvers<void> } | undefined;
  #isOver = false;

  /** @param tooSlow the refusal for a point that does not keep up */
  constructor(
    private readonly stream: WatchStream,
    private readonly tooSlow: () => Refusal,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.over = promise;
    this.#end = (refusal) => (refusal === undefined ? resolve() : reject(refusal));
  }

  /** The last order the point has confirmed. */
  get ackedSeq(): number {
    return this.#acked;
  }

  /** How many wait for the point's word. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Sends what the point builds on, as of `seq`, then the orders after it that were held back meanwhile. The state may be
   * of any size: its next message waits until the stream has drained.
   */
  async begin(state: readonly Buffer[], seq: number): Promise<void> {
    for (const bytes of state) {
      if (this.#blocked !== undefined) await this.#blocked.drained.promise;
      if (this.#isOver) return;
      this.#write(bytes);
    }
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#sent = seq;
    for (const order of held) if (order.seq > seq) this.order(order.seq, order.bytes);
  }

  /** The next order, in the order of numbers. */
  order(seq: number, bytes: Buffer): void {
    if (this.#isOver) return;
    if (this.#held === undefined) {
      this.#sent = seq;
      this.#write(bytes);
    } else {
      this.#held.push({ seq, bytes });
      if (this.#held.length > QUEUE_MAX) this.close(this.tooSlow());
    }
  }

  /** A point that does not hold its state yet is told nothing that would count as life. */
  beat(bytes: Buffer): void {
    if (this.#held === undefined) this.#write(bytes);
  }

  /** Takes the point's word that it holds all orders up to `seq`; for orders that it was never sent, its word is nothing. */
  ack(seq: number): void {
    if (seq > this.#sent || !(seq > this.#acked)) return;
    this.#acked = seq;
    for (const waiter of this.#waiting) {
      if (waiter.seq > seq) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }

  /** Waits for the point's word on `seq`. */
  acknowledged(seq: number): Acknowledgement {
    if (this.#acked >= seq || this.#isOver) return { confirmed: Promise.resolve(), cancel: () => undefined };
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { seq, resolve };
    this.#waiting.add(waiter);
    return { confirmed: promise, cancel: () => void this.#waiting.delete(waiter) };
  }

  onOver(run: () => void): void {
    if (this.#isOver) run();
    else this.#onOver.push(run);
  }

  /** The point has gone, or is sent away with `refusal`. */
  close(refusal?: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held = undefined;
    this.#flow();
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
    for (const run of this.#onOver) run();
    this.#end(refusal);
  }

  #write(bytes: Buffer): void {
    if (this.#isOver || this.stream.write(bytes)) return;
    this.#queued += 1;
    if (this.#queued > QUEUE_MAX) {
      this.close(this.tooSlow());
      return;
    }
    if (this.#blocked !== undefined) return;
    const timer = setTimeout(() => this.close(this.tooSlow()), BLOCKED_MS_MAX);
    this.#blocked = { timer, drained: Promise.withResolvers<void>() };
    this.stream.onceDrained(() => this.#flow());
  }

  /** The stream takes messages again, or nobody waits for that any more. */
  #flow(): void {
    clearTimeout(this.#blocked?.timer);
    this.#blocked?.drained.resolve();
    this.#blocked = undefined;
    this.#queued = 0;
  }
}
