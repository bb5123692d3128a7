import type { ClientDuplexStream } from '@grpc/grpc-js';
import {
  type FullState,
  type Heartbeat,
  type WatchEntry,
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import { type ClientOf, connect } from './client.js';
import type { Clock } from './clock.js';
import type { Background } from './definition.js';
import type { Telemetry } from './telemetry.js';
import type { Identity } from './trust/identity.js';

/** Where an enforcement point stands: it may allow in LIVE only. */
export type FeedState = 'SYNCING' | 'LIVE' | 'STALE';

/** Who holds the locks: the feed tells it what is true, in order, and never half of a full state. */
export interface LockSink {
  /** Everything held so far no longer counts; `full` follows at once. */
  reset(epoch: string): void;
  full(entries: readonly WatchEntry[]): void;
  delta(entry: WatchEntry): void;
}

/** Silence after which a point denies. The server sends a heartbeat each second. */
export const STALE_AFTER_MS = 3_000;
const checkEveryMs = 250;
/** Short beside the 50 ms for which whoever places a lock waits for the points' word. */
const confirmAfterMs = 1;
const backoffMs = { first: 100, most: 2_000 } as const;

type WatchStream = ClientDuplexStream<WatchRequest, WatchResponse>;

export interface LockFeedOptions {
  readonly identity: Identity;
  /** `host:port` of the session-broker. */
  readonly address: string;
  readonly serverSpiffeId: string;
  /** How this point names itself: `policy-engine`, or an enforcement point's name. */
  readonly pointId: string;
  readonly sink: LockSink;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/**
 * Client of the stop orders (`writ.watch.v1`). Sequence numbers are contiguous: a hole, or another epoch, and the full
 * state is fetched again while the point denies. A connection that breaks is made anew from the last number; the
 * point stays LIVE meanwhile, for 3 s of silence at most, counted on the monotonic clock.
 */
export class LockFeed implements Background {
  #synced = false;
  #told: FeedState = 'SYNCING';
  #epoch = '';
  #seq = 0n;
  #heardMs = 0;
  /** When the present connection last said anything, or was made. */
  #activeMs = 0;
  #loading: WatchEntry[] = [];
  #client: ClientOf<typeof WatchServiceService> | undefined;
  #stream: WatchStream | undefined;
  #retry: NodeJS.Timeout | undefined;
  #confirming: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  readonly #waiters = new Set<() => void>();

  constructor(private readonly o: LockFeedOptions) {}

  /** Begins to connect and does not wait: a point denies until it is LIVE. */
  async start(): Promise<void> {
    const { identity, address, serverSpiffeId, clock } = this.o;
    this.#client = connect({ identity, address, serverSpiffeId, definition: WatchServiceService, clock });
    this.#watchdog = setInterval(() => this.#watch(), checkEveryMs).unref();
    this.#open();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#synced = false;
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
    clearTimeout(this.#confirming);
    this.#stream?.cancel();
    this.#client?.close();
    for (const wake of this.#waiters) wake();
  }

  /** The state at this very moment; silence counts even before anybody noticed it. */
  state(): FeedState {
    if (this.#epoch !== '' && this.#silent()) return 'STALE';
    return this.#synced ? 'LIVE' : 'SYNCING';
  }

  /** The last stop order this point holds; 0 before the first. */
  get seq(): bigint {
    return this.#seq;
  }

  /** Whether the point holds order `seq` while LIVE, waiting for it up to `withinMs` (50): the zookie of a token. */
  async reached(seq: bigint, withinMs = 50): Promise<boolean> {
    if (this.#has(seq)) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      if (this.#stopped || this.#has(seq)) resolve();
    };
    this.#waiters.add(wake);
    const timer = setTimeout(resolve, withinMs);
    await promise;
    clearTimeout(timer);
    this.#waiters.delete(wake);
    return this.#has(seq);
  }

  #has(seq: bigint): boolean {
    return this.state() === 'LIVE' && this.#seq >= seq;
  }

  #silent(): boolean {
    return this.o.clock.monotonicMs() - this.#heardMs >= STALE_AFTER_MS;
  }

  #open(): void {
    if (this.#stopped || this.#client === undefined) return;
    const stream = this.#client.watch();
    this.#stream = stream;
    this.#activeMs = this.o.clock.monotonicMs();
    this.#loading = [];
    stream.on('data', (message: WatchResponse) => this.#hear(stream, message));
    stream.on('error', (error) => this.#lost(stream, error.message));
    stream.on('end', () => this.#lost(stream, 'the server ended the stream'));
    const hello = { pointId: this.o.pointId, epoch: this.#epoch, lastSeq: this.#seq };
    stream.write({ up: { $case: 'hello', value: hello } });
  }

  #lost(stream: WatchStream, reason: string): void {
    if (stream !== this.#stream || this.#stopped) return;
    this.#stream = undefined;
    this.#failures += 1;
    const most = Math.min(backoffMs.first * 2 ** (this.#failures - 1), backoffMs.most);
    // Between half and all of it: points that lost the same server do not return in step.
    const [chance = 0] = this.o.clock.randomBytes(1);
    this.#retry = setTimeout(() => this.#open(), (most / 2) * (1 + chance / 255));
    this.#tell(`connection lost: ${reason}`);
  }

  #hear(stream: WatchStream, { down }: WatchResponse): void {
    if (stream !== this.#stream || down === undefined) return;
    this.#activeMs = this.o.clock.monotonicMs();
    if (down.$case === 'fullState') this.#load(down.value);
    else if (down.$case === 'delta') this.#apply(down.value);
    else this.#beat(down.value);
  }

  #load(chunk: FullState): void {
    this.#synced = false;
    this.#loading.push(...chunk.entries);
    if (!chunk.lastChunk) {
      this.#tell('full state is loading');
      return;
    }
    this.o.sink.reset(chunk.epoch);
    this.o.sink.full(this.#loading);
    this.#loading = [];
    this.#epoch = chunk.epoch;
    this.#seq = chunk.seq;
    this.#alive('full state loaded');
    this.#acknowledge();
  }

  #apply(entry: WatchEntry): void {
    const next = this.#seq + 1n;
    if (this.#epoch === '') this.#resync('a stop order came before the full state');
    else if (entry.seq > next) this.#resync(`stop orders ${next} to ${entry.seq - 1n} are missing`);
    else if (entry.seq === next) {
      this.o.sink.delta(entry);
      this.#seq = next;
      this.#acknowledge();
      this.#wake();
    }
  }

  /** The server sends every order before a heartbeat that counts it, so a higher count means a hole. */
  #beat({ epoch, headSeq }: Heartbeat): void {
    if (this.#epoch === '' || this.#loading.length > 0) this.#tell('waiting for the full state');
    else if (epoch !== this.#epoch) this.#resync('the server has another epoch');
    else if (headSeq !== this.#seq) this.#resync(`the server is at ${headSeq}, this point at ${this.#seq}`);
    else this.#alive('heartbeat');
  }

  #alive(reason: string): void {
    this.#synced = true;
    this.#failures = 0;
    this.#heardMs = this.o.clock.monotonicMs();
    this.#tell(reason);
    this.#wake();
  }

  /** Forgets where it was and asks for everything; what the sink holds no longer counts until then. */
  #resync(reason: string): void {
    this.#synced = false;
    this.#epoch = '';
    this.#seq = 0n;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
    clearTimeout(this.#retry);
    this.#tell(reason);
    this.#retry = setTimeout(() => this.#open(), backoffMs.first);
  }

  /** Notices silence; a connection that says nothing is given up. */
  #watch(): void {
    if (this.#silent()) this.#tell(`no heartbeat for ${STALE_AFTER_MS} ms`);
    const stream = this.#stream;
    if (stream === undefined || this.o.clock.monotonicMs() - this.#activeMs < STALE_AFTER_MS) return;
    this.#lost(stream, 'the server is silent');
    stream.cancel();
  }

  /** A moment later, and once for all that has come by then: denying comes first, on this point and on its neighbours. */
  #acknowledge(): void {
    this.#confirming ??= setTimeout(() => {
      this.#confirming = undefined;
      this.#stream?.write({ up: { $case: 'ack', value: { seq: this.#seq } } });
    }, confirmAfterMs);
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  #tell(reason: string): void {
    const state = this.state();
    if (state === this.#told) return;
    this.#told = state;
    this.o.telemetry.feedChanged(state, reason);
  }
}
