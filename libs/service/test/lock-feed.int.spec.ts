import type { ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type WatchEntry,
  type WatchRequest,
  type WatchResponse,
  WatchTargetKind,
} from '@writ/contracts/writ/watch/v1/watch.js';
import { SystemClock } from '../src/clock.js';
import { LockFeed } from '../src/lock-feed.js';
import { createLogger, Telemetry } from '../src/telemetry.js';
import { type House, openHouse } from './certificate-house.js';
import { AGENT_ID, newPeers, type Peers } from './trusted-peers.js';

/** Monotonic time that a test moves by hand; sleeping for three seconds proves nothing more. */
class HandClock extends SystemClock {
  movedMs = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + this.movedMs;
  }
}

type Down = NonNullable<WatchResponse['down']>;
interface Connection {
  readonly stream: ServerDuplexStream<WatchRequest, WatchResponse | Buffer>;
  readonly hello: { epoch: string; lastSeq: bigint; pointId: string };
  readonly acks: bigint[];
  say(...down: Down[]): void;
}

let peers: Peers;
let house: House;
let clock: HandClock;
let feed: LockFeed;
let connections: Connection[];
let held: Map<bigint, WatchEntry>;
let resets: string[];
let states: string[];

beforeEach(async () => {
  peers = await newPeers();
  house = await openHouse(peers);
  clock = new HandClock();
  connections = [];
  held = new Map();
  resets = [];
  states = [];
  house.watching = (stream) => {
    stream.on('data', ({ up }: WatchRequest) => {
      if (up?.$case === 'ack') connections.at(-1)?.acks.push(up.value.seq);
      if (up?.$case !== 'hello') return;
      const say = (...downs: Down[]) => {
        for (const down of downs) stream.write({ down });
      };
      connections.push({ stream, hello: up.value, acks: [], say });
    });
    stream.on('end', () => stream.end());
  };
  const telemetry = new Telemetry(createLogger({ service: 'vault', level: 'error' }));
  telemetry.feedChanged = (state) => void states.push(state);
  feed = new LockFeed({
    identity: await peers.identity('/service/vault'),
    address: house.server.address,
    serverSpiffeId: 'spiffe://writ.test/service/registry',
    pointId: 'vault',
    clock,
    telemetry,
    sink: {
      reset: (epoch) => {
        resets.push(epoch);
        held.clear();
      },
      full: (entries) => {
        for (const entry of entries) held.set(entry.seq, entry);
      },
      delta: (entry) => void held.set(entry.seq, entry),
    },
  });
  await feed.start();
});

afterEach(async () => {
  await feed.stop();
  await house.close();
  await peers.remove();
});

function entry(seq: bigint): WatchEntry {
  return {
    seq,
    targetKind: WatchTargetKind.WATCH_TARGET_KIND_AGENT,
    targetId: AGENT_ID,
    notBefore: undefined,
    expireTime: undefined,
    reason: 'test',
    lockId: '',
    lifted: false,
  };
}

const full = (
  seq: bigint,
  entries: WatchEntry[] = [],
  o: { lastChunk?: boolean; epoch?: string } = {},
): Down => ({
  $case: 'fullState',
  value: { epoch: o.epoch ?? 'one', seq, entries, lastChunk: o.lastChunk ?? true },
});
const delta = (seq: bigint): Down => ({ $case: 'delta', value: entry(seq) });
const beat = (headSeq: bigint, epoch = 'one'): Down => ({
  $case: 'heartbeat',
  value: { epoch, headSeq, serverTime: undefined },
});

async function until(what: () => boolean, title: string): Promise<void> {
  for (let waited = 0; !what(); waited += 10) {
    if (waited > 5_000) throw new Error(`waited five seconds for: ${title}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function connected(count: number): Promise<Connection> {
  await until(() => connections.length >= count, `connection ${count}`);
  const connection = connections[count - 1];
  if (connection === undefined) throw new Error('no connection');
  return connection;
}

async function live(seq = 0n): Promise<Connection> {
  const connection = await connected(1);
  connection.say(full(seq), beat(seq));
  await until(() => feed.state() === 'LIVE', 'LIVE');
  return connection;
}

describe('an enforcement point', () => {
  it('denies until it holds the whole state, however many pieces that has', async () => {
    const server = await connected(1);
    expect(server.hello).toMatchObject({ pointId: 'vault', epoch: '', lastSeq: 0n });
    expect(feed.state()).toBe('SYNCING');
    server.say(full(9n, [entry(3n)], { lastChunk: false }), beat(9n));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(feed.state()).toBe('SYNCING');
    expect(held.size).toBe(0);
    server.say(full(9n, [entry(7n)]));
    await until(() => feed.state() === 'LIVE', 'LIVE');
    expect([...held.keys()]).toEqual([3n, 7n]);
    expect(feed.seq).toBe(9n);
    await until(() => server.acks.includes(9n), 'an ack');
  });

  it('takes each stop order once, in order', async () => {
    const server = await live();
    server.say(delta(1n), delta(2n), delta(2n), delta(1n), beat(2n));
    await until(() => feed.seq === 2n, 'the second order');
    expect([...held.keys()]).toEqual([1n, 2n]);
    expect(feed.state()).toBe('LIVE');
  });

  it('denies after three seconds of silence and allows again after a heartbeat', async () => {
    const server = await live();
    clock.movedMs += 2_900;
    expect(feed.state()).toBe('LIVE');
    clock.movedMs += 150;
    expect(feed.state()).toBe('STALE');
    await until(() => states.includes('STALE'), 'the metric of it');
    const again = await connected(2);
    expect(server).not.toBe(again);
    expect(again.hello).toMatchObject({ epoch: 'one', lastSeq: 0n });
    expect(feed.state()).toBe('STALE');
    again.say(delta(1n), beat(1n));
    await until(() => feed.state() === 'LIVE', 'LIVE again');
    expect([...held.keys()]).toEqual([1n]);
    expect(resets).toEqual(['one']);
  });

  it('does not take stop orders for a sign of life', async () => {
    const server = await live();
    clock.movedMs += 2_000;
    server.say(delta(1n));
    await until(() => feed.seq === 1n, 'the order');
    clock.movedMs += 1_100;
    expect(feed.state()).toBe('STALE');
  });

  it('denies and fetches everything again when an order is missing', async () => {
    const server = await live();
    server.say(delta(1n), delta(3n));
    await until(() => feed.state() === 'SYNCING', 'SYNCING');
    expect([...held.keys()]).toEqual([1n]);
    const again = await connected(2);
    expect(again.hello).toMatchObject({ epoch: '', lastSeq: 0n });
    again.say(full(3n, [entry(1n), entry(2n), entry(3n)]), beat(3n));
    await until(() => feed.state() === 'LIVE', 'LIVE');
    expect(held.size).toBe(3);
  });

  it('denies and fetches everything again when a heartbeat counts more orders than it has', async () => {
    const server = await live();
    server.say(beat(1n));
    await until(() => feed.state() === 'SYNCING', 'SYNCING');
    expect((await connected(2)).hello.epoch).toBe('');
  });

  it('denies and fetches everything again in another epoch', async () => {
    const server = await live(5n);
    server.say(beat(5n, 'two'));
    await until(() => feed.state() === 'SYNCING', 'SYNCING');
    const again = await connected(2);
    again.say(full(1n, [entry(1n)], { epoch: 'two' }));
    await until(() => feed.state() === 'LIVE', 'LIVE');
    expect(resets).toEqual(['one', 'two']);
    expect([...held.keys()]).toEqual([1n]);
  });

  it('stays LIVE over a short break and goes on where it was', async () => {
    const server = await live();
    server.say(delta(1n));
    await until(() => feed.seq === 1n, 'the order');
    server.stream.end();
    const again = await connected(2);
    expect(again.hello).toMatchObject({ epoch: 'one', lastSeq: 1n });
    expect(feed.state()).toBe('LIVE');
    again.say(delta(2n), beat(2n));
    await until(() => feed.seq === 2n, 'the next order');
    expect(states).not.toContain('STALE');
  });

  it('waits a moment for an order that a token says it must hold', async () => {
    const server = await live();
    expect(await feed.reached(0n)).toBe(true);
    expect(await feed.reached(1n, 20)).toBe(false);
    const reached = feed.reached(1n, 2_000);
    server.say(delta(1n));
    expect(await reached).toBe(true);
  });

  it('denies once it has stopped', async () => {
    await live();
    await feed.stop();
    expect(feed.state()).not.toBe('LIVE');
  });
});
