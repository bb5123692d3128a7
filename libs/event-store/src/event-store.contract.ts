import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '@writ/kernel';
import type { EventStore } from './event-store.js';
import { type Append, type Expected, FACT_BYTES_MAX } from './fact.js';

export interface EventStoreCarrier {
  readonly store: EventStore;
  /** Streams that were reported as long: `[streamId, facts]`. */
  readonly long: readonly (readonly [string, number])[];
  close(): Promise<void>;
}

let streams = 0;
const newStream = () => `door-${++streams}`;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What every carrier of facts promises. `open` answers an empty store. */
export function eventStoreContract(
  carrier: string,
  open: () => Promise<EventStoreCarrier>,
  newCall: () => Call,
): void {
  describe(`the event store in ${carrier}`, () => {
    let opened: EventStoreCarrier;
    let store: EventStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    const add = (streamId: string, expected: Expected, ...texts: string[]): Append => ({
      streamId,
      kind: 'door',
      partKey: `key of ${streamId}`,
      expected,
      facts: texts.map((text) => ({ type: 'DoorOpened', data: Buffer.from(text) })),
      call: newCall(),
    });

    factsContract(() => store, add);
    sizeContract(() => store, add);
    expectationContract(() => store, add);
    togetherContract(() => store, add);

    it('wakes its readers after a commit, and not after a refusal', async () => {
      let woken = 0;
      const stop = store.onAppend(() => {
        woken += 1;
      });
      const streamId = newStream();
      await store.append([add(streamId, 'none', 'a')]);
      await turn();
      expect(woken).toBe(1);
      await expect(store.append([add(streamId, 'none', 'b')])).rejects.toThrow();
      await expect(
        store.append([add(streamId, 1, 'b')], () => Promise.reject(new Error('no'))),
      ).rejects.toThrow('no');
      await turn();
      expect(woken).toBe(1);
      await store.append([add(streamId, 1, 'b')], async () => {});
      await turn();
      expect(woken).toBe(2);
      stop();
      await store.append([add(streamId, 2, 'c')]);
      await turn();
      expect(woken).toBe(2);
    });

    it('takes a stream of more than 500 facts and reports it once', async () => {
      const streamId = newStream();
      const texts = (count: number) => Array.from({ length: count }, (_, n) => String(n));
      await store.append([add(streamId, 'none', ...texts(500))]);
      expect(opened.long.filter(([id]) => id === streamId)).toEqual([]);
      await store.append([add(streamId, 500, 'one more')]);
      await store.append([add(streamId, 501, 'and another')]);
      expect(opened.long.filter(([id]) => id === streamId)).toEqual([[streamId, 501]]);
      expect(await store.read(streamId)).toHaveLength(502);
    });
  });
}

type Add = (streamId: string, expected: Expected, ...texts: string[]) => Append;

function factsContract(store: () => EventStore, add: Add): void {
  it('gives back exactly what was appended', async () => {
    const streamId = newStream();
    const append = {
      ...add(streamId, 'none'),
      facts: [{ type: 'DoorOpened', data: Uint8Array.of(0, 255, 39, 92, 10) }],
    };
    const before = await store().head();
    const [stored] = await store().append([append]);
    const { at, actor, cause, callId, traceparent, tracestate } = append.call;
    expect(stored).toMatchObject({ pos: before + 1, version: 1, streamId, type: 'DoorOpened', at });
    const read = await store().read(streamId);
    expect(read).toEqual([
      { ...stored, partKey: append.partKey, meta: { actor, cause, callId, traceparent, tracestate } },
    ]);
    expect([...(read[0]?.data ?? [])]).toEqual([0, 255, 39, 92, 10]);
    expect(await store().readAfter(before, 10)).toEqual(read);
  });

  it('keeps a fact that has no bytes', async () => {
    const streamId = newStream();
    await store().append([add(streamId, 'none', '', 'x', '')]);
    expect((await store().read(streamId)).map(({ data }) => Buffer.from(data).toString())).toEqual([
      '',
      'x',
      '',
    ]);
  });

  it('has nothing to read in a stream that does not exist', async () => {
    expect(await store().read(newStream())).toEqual([]);
  });

  it('reads on from a position, at most as many as asked', async () => {
    const before = await store().head();
    await store().append([add(newStream(), 'any', 'a', 'b', 'c'), add(newStream(), 'any', 'd')]);
    const first = await store().readAfter(before, 3);
    expect(first.map(({ pos }) => pos)).toEqual([before + 1, before + 2, before + 3]);
    expect((await store().readAfter(before + 3, 3)).map(({ pos }) => pos)).toEqual([before + 4]);
    expect(await store().head()).toBe(before + 4);
  });

  it('refuses an append that makes no sense before anything is written', async () => {
    const before = await store().head();
    await expect(store().append([add(newStream(), 'none', 'a'), add(newStream(), 'none')])).rejects.toThrow(
      'no facts',
    );
    await expect(store().append([add('', 'none', 'a')])).rejects.toThrow('without a name');
    await expect(store().append([add(newStream(), -1, 'a')])).rejects.toThrow('expects version -1');
    expect(await store().append([])).toEqual([]);
    expect(await store().head()).toBe(before);
  });
}

function sizeContract(store: () => EventStore, add: Add): void {
  it('takes a fact of the largest size, and refuses a larger one with all that comes with it', async () => {
    const [streamId, other] = [newStream(), newStream()];
    const largest = 'x'.repeat(FACT_BYTES_MAX);
    await store().append([add(streamId, 'none', largest)]);
    expect((await store().read(streamId))[0]?.data).toHaveLength(FACT_BYTES_MAX);
    const before = await store().head();
    const larger = add(streamId, 1, 'a', `${largest}x`);
    const tooLarge = {
      name: 'Refusal',
      code: 'FACT_TOO_LARGE',
      kind: 'invalid',
      message: expect.stringContaining(`${FACT_BYTES_MAX + 1} bytes`),
    };
    await expect(store().append([add(other, 'none', 'a'), larger])).rejects.toMatchObject(tooLarge);
    await expect(store().append([larger], async () => {})).rejects.toMatchObject(tooLarge);
    expect(await store().head()).toBe(before);
    expect(await store().read(other)).toEqual([]);
    expect(await store().append([add(streamId, 1, 'b')])).toHaveLength(1);
  });
}

const refused = { name: 'Refusal', code: 'STREAM_CONFLICT', kind: 'conflict' };

function expectationContract(store: () => EventStore, add: Add): void {
  it('appends at the expected version and refuses at any other', async () => {
    const streamId = newStream();
    await store().append([add(streamId, 0, 'a', 'b')]);
    for (const version of [0, 1, 3])
      await expect(store().append([add(streamId, version, 'c')])).rejects.toMatchObject(refused);
    expect((await store().append([add(streamId, 2, 'c')]))[0]?.version).toBe(3);
  });

  it('never creates a stream that exists', async () => {
    const streamId = newStream();
    await store().append([add(streamId, 'none', 'a')]);
    await expect(store().append([add(streamId, 'none', 'a')])).rejects.toMatchObject(refused);
    expect(await store().read(streamId)).toHaveLength(1);
  });

  it('appends to an existing stream only, where that is expected', async () => {
    const streamId = newStream();
    await expect(store().append([add(streamId, 'exists', 'a')])).rejects.toMatchObject(refused);
    await store().append([add(streamId, 'any', 'a')]);
    await store().append([add(streamId, 'exists', 'b')]);
    expect((await store().read(streamId)).map(({ version }) => version)).toEqual([1, 2]);
  });

  it('lets exactly one of many simultaneous writers have a version', async () => {
    const streamId = newStream();
    for (const expected of ['none', 1, 2] as const) {
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => store().append([add(streamId, expected, `${n}`)])),
      );
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
    expect((await store().read(streamId)).map(({ version }) => version)).toEqual([1, 2, 3]);
  });
}

function togetherContract(store: () => EventStore, add: Add): void {
  it('appends to many streams together, or to none', async () => {
    const [a, b] = [newStream(), newStream()];
    const before = await store().head();
    const stored = await store().append([
      add(a, 'none', '1', '2'),
      add(b, 'none', '3'),
      add(a, 2, '4'),
      add(b, 'exists', '5'),
    ]);
    expect(stored.map(({ pos, streamId, version }) => [pos - before, streamId, version])).toEqual([
      [1, a, 1],
      [2, a, 2],
      [3, b, 1],
      [4, a, 3],
      [5, b, 2],
    ]);
    expect(await store().readAfter(before, 9)).toEqual(stored);
    await expect(store().append([add(a, 3, '6'), add(b, 7, '7')])).rejects.toMatchObject(refused);
    await expect(store().append([add(a, 3, '6'), add(a, 3, '7')])).rejects.toMatchObject(refused);
    expect(await store().head()).toBe(before + 5);
  });

  it('undoes an append when what belongs to it fails', async () => {
    const streamId = newStream();
    const before = await store().head();
    const seen: number[] = [];
    const failing = store().append([add(streamId, 'none', 'a')], async (_tx, stored) => {
      seen.push(...stored.map(({ pos }) => pos));
      throw new Error('a view refused');
    });
    await expect(failing).rejects.toThrow('a view refused');
    expect(seen).toEqual([before + 1]);
    expect(await store().head()).toBe(before);
    expect(await store().read(streamId)).toEqual([]);
    expect((await store().append([add(streamId, 'none', 'a')]))[0]?.pos).toBe(before + 1);
  });
}
