import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { FACT_BYTES_MAX } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { factsTopic } from '../src/cloud-event.js';
import { eventually } from '../src/event-bus.contract.js';
import { PostgresBus } from '../src/postgres-bus.js';
import { Started } from './delivery.contract.js';
import { onceAndInOrder, type Pair, World } from './world.js';

const agents = Array.from({ length: 20 }, (_, place) => `agt_${place}`);

describe('a relay', () => {
  const started = new Started();
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterEach(() => started.stop());
  afterAll(() => world.stop());

  const newBus = (pair: Pair) => started.bus(new PostgresBus(world.connect(pair.source), world.log));
  const published = async (pair: Pair) => {
    const { rows } = await world.admin.query<{ count: number }>(
      'select count(*)::int as count from bus.log where topic = $1',
      [factsTopic(pair.source)],
    );
    return rows[0]?.count;
  };

  it('says how much is left to publish, also one that does not lead', async () => {
    const pair = await world.pair();
    const bus = newBus(pair);
    const onlooker = pair.relay(bus);
    await pair.append(...agents);
    expect(await onlooker.lag()).toBe(20);
    started.relay(pair.relay(bus));
    await eventually('all is published', async () => (await onlooker.lag()) === 0);
    expect(await published(pair)).toBe(20);
  });

  it('cannot move the cursor once another has led since', async () => {
    const pair = await world.pair();
    await pair.append(...agents);
    const relay = started.relay(pair.relay(newBus(pair)));
    await eventually('all is published', async () => (await relay.lag()) === 0);
    await world.admin.transaction(async (tx) => {
      // What a successor would do, while the relay that sent waits to move the cursor.
      await tx.query(`update ${pair.source}.cursor set pos = 0, epoch = epoch + 1`);
      await pair.append(...agents);
      await eventually('the relay waits to move the cursor', async () => {
        const { rowCount } = await world.admin.query(
          `select from pg_stat_activity where usename = $1 and query like 'update%cursor%' and wait_event_type = 'Lock'`,
          [pair.source],
        );
        return rowCount === 1;
      });
    });
    await eventually('all is published again', async () => (await relay.lag()) === 0);
    // It had sent at least one of the new facts when it was deposed; all 40 were sent again.
    expect(await published(pair)).toBeGreaterThan(20 + 40);
  });

  it('fills the hole of a consumer that came when the bus had forgotten, once it is rewound', async () => {
    const pair = await world.pair();
    await pair.append(...agents, ...agents);
    const bus = newBus(pair);
    const relay = started.relay(pair.relay(bus));
    await eventually('all is published', async () => (await relay.lag()) === 0);
    await world.admin.query('delete from bus.log where topic = $1 and off < 2', [factsTopic(pair.source)]);
    const remembered = (await published(pair)) ?? 0;
    expect(remembered).toBeLessThan(40);
    const consumer = await started.consumer(pair.consumer(bus));
    await eventually('what the bus remembers', async () => (await pair.count()) === remembered);
    expect((await consumer.positions()).get(pair.source)?.completeTo).toBeLessThan(40);
    expect(world.logged).toContain('the bus no longer holds records');
    await relay.rewind(0);
    await eventually('the rest', async () => (await pair.count()) === 40);
    expect((await consumer.positions()).get(pair.source)).toEqual({ completeTo: 40, highest: 40, ranges: 1 });
  });

  it('publishes what was appended while the bus was away', async () => {
    const pair = await world.pair();
    const bus = newBus(pair);
    await world.admin.query(`revoke execute on function bus.publish from ${pair.source}`);
    world.logged.length = 0;
    const relay = started.relay(pair.relay(bus));
    await pair.append(...agents);
    await eventually('it tries', async () =>
      world.logged.includes('the relay could not publish, trying again'),
    );
    expect(await relay.lag()).toBe(20);
    await world.admin.query(`grant execute on function bus.publish to ${pair.source}`);
    await started.consumer(pair.consumer(newBus(pair)));
    await eventually('all effects', async () => (await pair.count()) >= 20);
    expect(onceAndInOrder(await pair.effects(), 20)).toEqual([]);
  });

  it('waits longer after each failure, however many facts are appended meanwhile', async () => {
    const pair = await world.pair();
    await world.admin.query(`revoke execute on function bus.publish from ${pair.source}`);
    world.logged.length = 0;
    const relay = started.relay(pair.relay(newBus(pair)));
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs) await pair.append(...agents);
    const failures = world.logged.filter((each) => each === 'the relay could not publish, trying again');
    // After 0, 100, 300, 700 and 1 500 ms.
    expect(failures.length).toBeGreaterThan(1);
    expect(failures.length).toBeLessThanOrEqual(5);
    const beganMs = performance.now();
    await relay.stop();
    expect(performance.now() - beganMs).toBeLessThan(500);
  });

  it('publishes the largest fact there may be, and never meets a larger one', async () => {
    const pair = await world.pair();
    const relay = started.relay(pair.relay(newBus(pair)));
    const key = 'k'.repeat(1_000);
    const large = (expected: number, bytes: number) =>
      pair.store.append([
        {
          streamId: key,
          kind: 'agent',
          partKey: key,
          expected,
          facts: [{ type: 'AgentSuspended', data: new Uint8Array(bytes) }],
          call: testCall(),
        },
      ]);
    await large(0, FACT_BYTES_MAX);
    await expect(large(1, 1024 * 1024)).rejects.toMatchObject({ code: 'FACT_TOO_LARGE' });
    await pair.append(...agents);
    await eventually('all is published', async () => (await relay.lag()) === 0);
    expect(await published(pair)).toBe(21);
  });
});
