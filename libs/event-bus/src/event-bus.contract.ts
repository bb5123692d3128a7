import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BATCH_RECORDS_MAX, type Bus, type BusBatch, type BusRecord, RECORD_BYTES_MAX } from './bus.js';

/** A carrier under test. Each bus stands for one process; all share what the carrier keeps. */
export interface Carrier {
  bus(): Bus;
  stop(): Promise<void>;
}

const PARTITIONS = 4;
const text = (value: Uint8Array) => Buffer.from(value).toString();
const record = (key: string, value: string) => ({ key, headers: {}, value: Buffer.from(value) });
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

/** Waits for what a carrier does in its own time; fails after half a minute. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What every carrier of the bus promises. */
export function describeBus(name: string, start: () => Promise<Carrier>): void {
  describe(`the bus on ${name}`, () => {
    let carrier: Carrier;
    let open: Bus[] = [];
    let topics = 0;
    beforeAll(async () => {
      carrier = await start();
    });
    afterEach(async () => {
      await Promise.all(open.map((bus) => bus.close()));
      open = [];
    });
    afterAll(async () => {
      await carrier?.stop();
    });

    const topicWith = async (...buses: Bus[]) => {
      topics += 1;
      const topic = `contract.${topics}`;
      for (const bus of buses) await bus.ensureTopics([{ topic, partitions: PARTITIONS }]);
      return topic;
    };
    const newBus = () => {
      const bus = carrier.bus();
      open.push(bus);
      return bus;
    };

    publishing(newBus, topicWith);
    consuming(newBus, topicWith);
    sharing(newBus, topicWith);
  });
}

type NewBus = () => Bus;
type TopicWith = (...buses: Bus[]) => Promise<string>;

/** A member that writes down what it was given. */
async function member(bus: Bus, topic: string, group: string, onBatch?: (batch: BusBatch) => Promise<void>) {
  const records: BusRecord[] = [];
  const subscription = await bus.subscribe({
    group,
    topics: [topic],
    onBatch: async (batch) => {
      await onBatch?.(batch);
      records.push(...batch.records);
    },
  });
  const values = (partition?: number) =>
    records
      .filter((each) => partition === undefined || each.partition === partition)
      .map(({ value }) => text(value));
  return { ...subscription, records, values };
}

function publishing(newBus: NewBus, topicWith: TopicWith): void {
  it('hands over headers and bytes exactly as they were published', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    const value = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const headers = { ce_id: 'ä "quoted" \\ 漢字 😀', empty: '', traceparent: '00-ab-cd-01' };
    await bus.publish(topic, 2, [{ key: "agt_'ü", headers, value }]);
    await bus.publish(topic, 2, [{ key: '', headers: {}, value: new Uint8Array(0) }]);
    const reader = await member(bus, topic, 'exact');
    await eventually('two records', () => reader.records.length === 2);
    expect(reader.records[0]).toMatchObject({ partition: 2, offset: 0, key: "agt_'ü", headers });
    expect(Buffer.compare(Buffer.from(reader.records[0]?.value ?? []), Buffer.from(value))).toBe(0);
    expect(reader.records[1]).toMatchObject({ partition: 2, offset: 1, key: '', headers: {} });
    expect(reader.records[1]?.value).toHaveLength(0);
  });

  it('takes a record of the largest size and refuses one byte more', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    const largest = {
      key: 'large',
      headers: { h: 'v' },
      value: new Uint8Array(RECORD_BYTES_MAX - 7).fill(7),
    };
    const larger = { ...largest, value: new Uint8Array(RECORD_BYTES_MAX - 6) };
    await expect(bus.publish(topic, 0, [record('small', 'first'), larger])).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
      message: expect.stringContaining(`${RECORD_BYTES_MAX + 1} bytes`),
    });
    await bus.publish(topic, 0, [largest, largest, largest]);
    const reader = await member(bus, topic, 'large');
    await eventually('three large records', () => reader.records.length === 3);
    expect(reader.records.map(({ offset, value }) => [offset, value.length, value.at(-1)])).toEqual(
      [0, 1, 2].map((offset) => [offset, RECORD_BYTES_MAX - 7, 7]),
    );
  });

  it('refuses what no carrier could hold, and partitions and topics nobody declared', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    const refused = (code: string) => expect.objectContaining({ code });
    await expect(bus.publish(topic, 0, [record('a\u0000b', '')])).rejects.toEqual(
      refused('RECORD_MALFORMED'),
    );
    await expect(bus.publish(topic, 0, [record('\ud800', '')])).rejects.toEqual(refused('RECORD_MALFORMED'));
    await expect(bus.publish(topic, PARTITIONS, [record('a', 'a')])).rejects.toEqual(
      refused('PARTITION_UNKNOWN'),
    );
    await expect(bus.publish('nobody.declared', 0, [record('a', 'a')])).rejects.toEqual(
      refused('TOPIC_UNKNOWN'),
    );
    await expect(bus.ensureTopics([{ topic, partitions: PARTITIONS + 1 }])).rejects.toEqual(
      refused('PARTITIONS_DIFFER'),
    );
    expect(bus.partitionsOf(topic)).toBe(PARTITIONS);
  });

  it('holds a record once publishing resolved, whatever becomes of the publisher', async () => {
    const publisher = newBus();
    const reading = newBus();
    const topic = await topicWith(publisher, reading);
    await publisher.publish(topic, 1, [record('k', 'kept')]);
    await publisher.close();
    const reader = await member(reading, topic, 'after');
    await eventually('the record', () => reader.values().includes('kept'));
  });
}

function consuming(newBus: NewBus, topicWith: TopicWith): void {
  it('gives a new group every record from the start, in order within each partition', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    for (const partition of [0, 1, 2, 3])
      for (const [from, to] of [
        [1, 2500],
        [2501, 2600],
      ] as const)
        await bus.publish(
          topic,
          partition,
          numbers(from, to).map((value) => record('k', value)),
        );
    const sizes: number[] = [];
    const reader = await member(
      bus,
      topic,
      'ordered',
      async ({ records }) => void sizes.push(records.length),
    );
    await eventually('10 400 records', () => reader.records.length === 10_400);
    for (const partition of [0, 1, 2, 3]) {
      expect(reader.values(partition)).toEqual(numbers(1, 2600));
      const offsets = reader.records
        .filter((each) => each.partition === partition)
        .map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BATCH_RECORDS_MAX);
  });

  it('shows a record to every group, also one published while they wait', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    const first = await member(bus, topic, 'first');
    const second = await member(bus, topic, 'second');
    await bus.publish(topic, 3, [record('k', 'news')]);
    await eventually('both', () => first.values().length === 1 && second.values().length === 1);
    expect([first.healthy(), second.healthy()]).toEqual([true, true]);
  });

  it('delivers a batch again when its handler failed, and nothing behind it before', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    await bus.publish(topic, 0, [record('k', '1'), record('k', '2')]);
    const attempts: string[][] = [];
    const reader = await member(bus, topic, 'failing', async ({ records }) => {
      attempts.push(records.map(({ value }) => text(value)));
      if (attempts.length === 1) await bus.publish(topic, 0, [record('k', '3')]);
      if (attempts.length <= 2) throw new Error('not yet');
    });
    await eventually('all three', () => reader.records.length >= 3);
    expect(reader.values()).toEqual(['1', '2', '3']);
    expect(attempts.slice(0, 3).map(([value]) => value)).toEqual(['1', '1', '1']);
  });

  it('goes on with another partition while one of them fails', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    await bus.publish(topic, 0, [record('k', 'bad')]);
    const reader = await member(bus, topic, 'side', async ({ partition }) => {
      if (partition === 0) throw new Error('never');
    });
    await bus.publish(topic, 1, [record('k', 'good')]);
    await eventually('the other partition', () => reader.values(1).length === 1);
    await bus.publish(topic, 1, [record('k', 'better')]);
    await eventually('the other partition again', () => reader.values(1).length === 2);
    expect(reader.values(0)).toEqual([]);
  });

  it('goes where a batch seeks', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    await bus.publish(
      topic,
      0,
      numbers(0, 9).map((value) => record('k', value)),
    );
    let sought = false;
    const reader = await member(bus, topic, 'seeking', async (batch) => {
      if (sought || batch.records.at(-1)?.offset !== 9) return;
      sought = true;
      await batch.seek(4);
    });
    await eventually('the second half again', () => sought && reader.records.length === 16);
    expect(reader.values()).toEqual([...numbers(0, 9), ...numbers(4, 9)]);
  });
}

function sharing(newBus: NewBus, topicWith: TopicWith): void {
  it('loses no record when a group stops and starts again', async () => {
    const bus = newBus();
    const topic = await topicWith(bus);
    const before = await member(bus, topic, 'restarting');
    await bus.publish(topic, 0, [record('k', '1')]);
    await eventually('the first', () => before.values().includes('1'));
    await before.stop();
    expect(before.healthy()).toBe(false);
    await bus.publish(topic, 0, [record('k', '2')]);
    const after = await member(bus, topic, 'restarting');
    await eventually('the second', () => after.values().includes('2'));
    expect(new Set([...before.values(), ...after.values()])).toEqual(new Set(['1', '2']));
  });

  it('lets two members share the partitions, and one take over when the other stops', async () => {
    const [left, right] = [newBus(), newBus()];
    const topic = await topicWith(left, right);
    const first = await member(left, topic, 'shared');
    const second = await member(right, topic, 'shared');
    let sent = 0;
    const everywhere = async () => {
      sent += 1;
      for (const partition of [0, 1, 2, 3]) await left.publish(topic, partition, [record('k', String(sent))]);
    };
    const partitionsOf = (records: readonly BusRecord[]) =>
      new Set(records.map(({ partition }) => partition)).size;
    await eventually('each has two partitions', async () => {
      first.records.length = 0;
      second.records.length = 0;
      await everywhere();
      await new Promise((resolve) => setTimeout(resolve, 500));
      return partitionsOf(first.records) === 2 && partitionsOf(second.records) === 2;
    });
    await first.stop();
    await everywhere();
    const last = String(sent);
    await eventually(
      'the other has all',
      () => second.values().filter((value) => value === last).length >= 4,
    );
    expect(partitionsOf(second.records.filter(({ value }) => text(value) === last))).toBe(PARTITIONS);
  });
}
