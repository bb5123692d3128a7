import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Bus, BusBatch } from '../src/bus.js';
import { factsTopic, recordOf } from '../src/cloud-event.js';
import { eventually } from '../src/event-bus.contract.js';
import type { FactConsumer } from '../src/fact-consumer.js';
import { partitionOf } from '../src/murmur2.js';
import type { Relay } from '../src/relay.js';
import { onceAndInOrder, type Pair, type World } from './world.js';

const agents = Array.from({ length: 20 }, (_, place) => `agt_${place}`);

/** Whatever a test started, in the order in which it must end. */
export class Started {
  private readonly relays: Relay[] = [];
  private readonly consumers: FactConsumer[] = [];
  private readonly buses: Bus[] = [];

  bus<B extends Bus>(bus: B): B {
    this.buses.push(bus);
    return bus;
  }
  relay(relay: Relay): Relay {
    this.relays.push(relay);
    relay.start();
    return relay;
  }
  async consumer(consumer: FactConsumer): Promise<FactConsumer> {
    this.consumers.push(consumer);
    await consumer.start();
    return consumer;
  }
  async stop(): Promise<void> {
    await Promise.all(this.relays.splice(0).map((relay) => relay.stop()));
    await Promise.all(this.consumers.splice(0).map((consumer) => consumer.stop()));
    await Promise.all(this.buses.splice(0).map((bus) => bus.close()));
  }
}

/** Puts `handle` between `bus` and whoever subscribes from now on. */
function intercept(
  bus: Bus,
  handle: (batch: BusBatch, onBatch: (batch: BusBatch) => Promise<void>) => Promise<void>,
) {
  const subscribe = bus.subscribe.bind(bus);
  bus.subscribe = (options) =>
    subscribe({ ...options, onBatch: (batch) => handle(batch, (each) => options.onBatch(each)) });
}

/** What relay and consumer promise together, on any carrier that passes `describeBus`. */
export function describeDelivery(name: string, carrier: { world(): World; bus(pair: Pair): Bus }): void {
  describe(`facts on ${name}`, () => {
    const started = new Started();
    let pair: Pair;
    let bus: Bus;
    beforeAll(() => expect(carrier.world()).toBeDefined());
    afterEach(() => started.stop());
    afterAll(() => started.stop());

    const prepare = async () => {
      pair = await carrier.world().pair();
      bus = started.bus(carrier.bus(pair));
    };
    const allArrive = async () => {
      const head = await pair.store.head();
      await eventually(`${head} effects`, async () => (await pair.count()) >= head);
      return onceAndInOrder(await pair.effects(), head);
    };

    it('take effect once each, in the order of their agent', async () => {
      await prepare();
      await pair.append(...agents, ...agents);
      const relay = started.relay(pair.relay(bus));
      const consumer = await started.consumer(pair.consumer(bus));
      await pair.append(...agents);
      expect(await allArrive()).toEqual([]);
      expect(await consumer.positions()).toEqual(
        new Map([[pair.source, { completeTo: 60, highest: 60, ranges: 1 }]]),
      );
      await eventually('nothing is left to publish', async () => (await relay.lag()) === 0);
    });

    it('are published by one of two relays, and by the other when that one is gone', async () => {
      await prepare();
      const { admin } = carrier.world();
      const relays = [pair.relay(bus), pair.relay(started.bus(carrier.bus(pair)))].map((relay) =>
        started.relay(relay),
      );
      await started.consumer(pair.consumer(bus));
      const leaders = async () => {
        const { rows } = await admin.query<{ pid: number }>(
          `select l.pid from pg_locks l join pg_stat_activity a using (pid)
            where locktype = 'advisory' and l.mode = 'ExclusiveLock' and l.granted and a.usename = $1`,
          [pair.source],
        );
        return rows.map(({ pid }) => pid);
      };
      await eventually('one leads', async () => (await leaders()).length === 1);
      await pair.append(...agents);
      const [leader] = await leaders();
      await admin.query('select pg_terminate_backend($1)', [leader]);
      await pair.append(...agents);
      await eventually(
        'one leads again',
        async () => (await leaders()).filter((pid) => pid !== leader).length === 1,
      );
      await relays[0]?.stop();
      await pair.append(...agents);
      expect(await allArrive()).toEqual([]);
      await eventually('nothing is left to publish', async () => (await relays[1]?.lag()) === 0);
    });

    it('take effect once when the relay dies between sending and remembering it', async () => {
      await prepare();
      const { admin } = carrier.world();
      await pair.append(...agents);
      const first = started.relay(pair.relay(bus));
      await eventually('the first relay published', async () => (await first.lag()) === 0);
      await admin.transaction(async (tx) => {
        // The relay moves this row with what it sends or behind it, and waits; its session ends meanwhile.
        await tx.query(`select from ${pair.source}.cursor for update`);
        await pair.append(...agents);
        await eventually('the relay waits to remember', async () => {
          const { rowCount } = await admin.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
              where usename = $1 and query like '%update%cursor%' and wait_event_type = 'Lock'`,
            [pair.source],
          );
          return rowCount === 1;
        });
      });
      const consumer = await started.consumer(pair.consumer(bus));
      await eventually('the relay goes on', async () => (await first.lag()) === 0);
      await pair.append(...agents);
      expect(await allArrive()).toEqual([]);
      expect((await consumer.positions()).get(pair.source)).toEqual({
        completeTo: 60,
        highest: 60,
        ranges: 1,
      });
    });

    it('take effect once when they come repeated and out of order', async () => {
      await prepare();
      await pair.append(...agents, ...agents, ...agents);
      const topic = factsTopic(pair.source);
      const consumer = await started.consumer(pair.consumer(bus));
      const facts = await pair.store.readAfter(0, 1000);
      const publish = async (chosen: typeof facts) => {
        for (const fact of chosen)
          await bus.publish(topic, partitionOf(fact.partKey, 12), [recordOf(pair.source, 'source', fact)]);
      };
      const late = facts.filter(({ pos }) => pos % 3 === 0);
      const middle = facts.filter(({ pos }) => pos % 3 === 1);
      await publish([...middle, ...middle, ...late.toReversed()]);
      await publish(facts);
      await eventually('all effects', async () => (await pair.count()) >= 60);
      await publish(facts.slice(0, 5));
      await eventually('one range', async () => (await consumer.positions()).get(pair.source)?.ranges === 1);
      expect((await pair.effects()).map(({ pos }) => pos).sort((a, b) => a - b)).toEqual(
        facts.map(({ pos }) => pos),
      );
    });

    it('take effect again, once, when the consumer’s database is restored from before they did', async () => {
      await prepare();
      await pair.append(...agents);
      started.relay(pair.relay(bus));
      const before = await started.consumer(pair.consumer(bus));
      expect(await allArrive()).toEqual([]);
      await before.stop();
      for (const table of ['effect', 'inbox_offset', 'inbox_received'])
        await pair.sinkDatabase.query(`delete from ${pair.views}.${table}`);
      await started.consumer(pair.consumer(bus));
      await pair.append(...agents);
      expect(await allArrive()).toEqual([]);
    });

    const restored = async () => {
      await pair.append(...agents);
      started.relay(pair.relay(bus));
      const before = await started.consumer(pair.consumer(bus));
      expect(await allArrive()).toEqual([]);
      await before.stop();
      for (const table of ['effect', 'inbox_offset', 'inbox_received'])
        await pair.sinkDatabase.query(`delete from ${pair.views}.${table}`);
    };

    it('take effect again although the consumer leaves as soon as it has asked for them again', async () => {
      await prepare();
      await restored();
      const asked = new Set<number>();
      let holding = true;
      intercept(bus, async (batch, onBatch) => {
        if (holding && asked.has(batch.partition)) throw new Error('not yet');
        const seek = async (offset: number) => {
          asked.add(batch.partition);
          await batch.seek(offset);
        };
        await onBatch({ ...batch, seek });
      });
      const consumer = await started.consumer(pair.consumer(bus));
      await pair.append(...agents);
      const partitions = new Set(agents.map((agent) => partitionOf(agent, 12)));
      await eventually('each partition is asked for again', () => asked.size === partitions.size);
      await consumer.stop();
      holding = false;
      await consumer.start();
      expect(await allArrive()).toEqual([]);
    });

    it('take effect again although the carrier could not go back when it was asked first', async () => {
      await prepare();
      await restored();
      const asked = new Set<number>();
      intercept(bus, async (batch, onBatch) => {
        const seek = async (offset: number) => {
          if (asked.has(batch.partition)) return batch.seek(offset);
          asked.add(batch.partition);
          throw new Error('the group is settling');
        };
        await onBatch({ ...batch, seek });
      });
      await started.consumer(pair.consumer(bus));
      await pair.append(...agents);
      expect(await allArrive()).toEqual([]);
      expect(asked.size).toBeGreaterThan(1);
    });
  });
}
