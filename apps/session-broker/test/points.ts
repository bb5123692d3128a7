import type { ClientDuplexStream } from '@grpc/grpc-js';
import {
  type WatchEntry,
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import {
  createLogger,
  LockFeed,
  type RemoteError,
  type RunningService,
  refusalOf,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import type { House } from './house.js';
import { until } from './house.js';

/** Where an enforcement point stands, and what it holds, in the order in which it heard of it. */
export class Point {
  readonly held: WatchEntry[] = [];
  readonly heardMs = new Map<bigint, number>();
  readonly states: string[] = [];
  readonly epochs: string[] = [];
  feed!: LockFeed;

  /** The real client of the stop orders, as policy-engine, vault and approvals use it. */
  static async start(house: House, broker: RunningService = house.broker, name = 'erp'): Promise<Point> {
    const point = new Point();
    const telemetry = new Telemetry(createLogger({ service: 'vault', level: 'error' }));
    telemetry.feedChanged = (state) => void point.states.push(state);
    point.feed = new LockFeed({
      identity: await house.world.identity({ kind: 'enforcement-point', id: name }),
      address: broker.address,
      serverSpiffeId: serviceSpiffeId('writ.test', 'session-broker'),
      pointId: name,
      clock: house.world.clock,
      telemetry,
      sink: {
        reset: (epoch) => {
          point.epochs.push(epoch);
          point.held.splice(0);
        },
        full: (entries) => void point.held.push(...entries),
        delta: (entry) => {
          point.held.push(entry);
          point.heardMs.set(entry.seq, performance.now());
        },
      },
    });
    await point.feed.start();
    await until(() => point.feed.state() === 'LIVE', 'a point to be LIVE');
    return point;
  }
}

type Down = NonNullable<WatchResponse['down']>;

/** A stream by hand, for what a good client never does. */
export class RawWatch {
  readonly heard: Down[] = [];
  readonly over: Promise<RemoteError | undefined>;

  private constructor(readonly stream: ClientDuplexStream<WatchRequest, WatchResponse>) {
    stream.on('data', ({ down }: WatchResponse) => {
      if (down !== undefined) this.heard.push(down);
    });
    this.over = new Promise((resolve) => {
      stream.on('error', (error) => resolve(refusalOf(error)));
      stream.on('end', () => resolve(undefined));
    });
  }

  static async open(house: House, broker: RunningService = house.broker, name = 'raw'): Promise<RawWatch> {
    const identity = await house.world.identity({ kind: 'enforcement-point', id: name });
    return new RawWatch(house.world.client(broker, WatchServiceService, identity).watch());
  }

  hello(epoch = '', lastSeq = 0n): void {
    this.stream.write({ up: { $case: 'hello', value: { pointId: 'raw', epoch, lastSeq } } });
  }

  ack(seq: bigint): void {
    this.stream.write({ up: { $case: 'ack', value: { seq } } });
  }

  close(): void {
    this.stream.on('error', () => undefined);
    this.stream.cancel();
  }

  /** Waits for the first message of a kind. */
  async first<Case extends Down['$case']>(kind: Case): Promise<Extract<Down, { $case: Case }>> {
    const find = () => this.heard.find((down): down is Extract<Down, { $case: Case }> => down.$case === kind);
    await until(() => find() !== undefined, kind);
    const found = find();
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  }
}

/**
 * What is wrong with a stream, by the rules of the protocol: orders without a hole behind the state, and heartbeats that
 * count exactly what was sent.
 */
export function faultsOf(heard: readonly Down[]): string[] {
  const faults: string[] = [];
  let seq: bigint | undefined;
  for (const down of heard) {
    if (down.$case === 'fullState' && down.value.lastChunk) seq = down.value.seq;
    if (down.$case === 'delta') {
      if (seq === undefined || down.value.seq !== seq + 1n) faults.push(`${down.value.seq} after ${seq}`);
      seq = down.value.seq;
    }
    if (down.$case === 'heartbeat' && down.value.headSeq !== seq)
      faults.push(`a heartbeat of ${down.value.headSeq} after ${seq}`);
  }
  return faults;
}
