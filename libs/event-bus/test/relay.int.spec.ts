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
          `select from pg_stat_activity where usename = $1 and query like '%update%cursor%' and wait_event_type = 'Lock'`,
          [pair.source],
        );
        return rowCount === 1;
      });
    });
    await eventually('all is published again', async () => (await relay.lag()) === 0);
    // What it was about to publish when it was deposed is not there: the 20 of before, and all 40 again.
    expect(await published(pair)).toBe(20 + 40);
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
    await world.admin.query(`revoke insert on bus.log from ${pair.source}`);
    world.logged.length = 0;
    const relay = started.relay(pair.relay(bus));
    await pair.append(...agents);
    await eventually('it tries', async () =>
      world.logged.includes('the relay could not publish, trying again'),
    );
    expect(await relay.lag()).toBe(20);
    await world.admin.query(`grant insert on bus.log to ${pair.source}`);
    await started.consumer(pair.consumer(newBus(pair)));
    await eventually('all effects', async () => (await pair.count()) >= 20);
    expect(onceAndInOrder(await pair.effects(), 20)).toEqual([]);
  });

  it('waits longer after each failure, however many facts are appended meanwhile', async () => {
    const pair = await world.pair();
    await world.admin.query(`revoke insert on bus.log from ${pair.source}`);
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

  it('makes the same records inside the database as on the way through the process', async () => {
    const records = async (pair: Pair, kind: 'copied' | 'carried') => {
      const bus = newBus(pair);
      if (kind === 'carried') bus.copying = async () => undefined;
      const relay = started.relay(pair.relay(bus));
      await eventually('all is published', async () => (await relay.lag()) === 0);
      const { rows } = await world.admin.query<{ headers: string }>(
        `select part, off::int, key, headers::text as headers, encode(value, 'hex') as value, bytes from bus.log
          where topic = $1 order by part, off`,
        [factsTopic(pair.source)],
      );
      await world.admin.query('delete from bus.log where topic = $1', [factsTopic(pair.source)]);
      await world.admin.query('update bus.head set off = 0 where topic = $1', [factsTopic(pair.source)]);
      await relay.stop();
      return rows;
    };
    const pair = await world.pair();
    const traced = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a="1",b=ü\\' };
    const actors = [
      'psn_1',
      'psnx1',
      'bootstrap',
      'agt_1',
      'service/vault',
      'enforcement-point/erp',
      'someone "',
    ];
    for (const [place, actor] of actors.entries())
      await pair.store.append([
        {
          streamId: `stream "${place}"\n\u2028é\ud83d\ude00\u0001`,
          kind: 'agent',
          partKey: `key ${place % 3} "\\é\ud83d\ude00\t`,
          expected: 'any',
          facts: [
            { type: 'AgentSuspended', data: new Uint8Array([0, 92, 255, place]) },
            { type: 'AgentReinstated', data: new Uint8Array() },
          ],
          call: testCall({
            actor,
            cause: `fact:"${place}`,
            at: new Date(Date.UTC(1999 + place, place, 1, 0, 0, 0, place * 100)),
            ...(place % 2 === 0 ? traced : { traceparent: '', tracestate: '' }),
          }),
        },
      ]);
    const copied = await records(pair, 'copied');
    await pair.relay(newBus(pair)).rewind(0);
    const carried = await records(pair, 'carried');
    expect(copied).toHaveLength(2 * actors.length);
    expect(copied.map(({ headers, ...rest }) => ({ ...rest, headers: JSON.parse(headers) }))).toEqual(
      carried.map(({ headers, ...rest }) => ({ ...rest, headers: JSON.parse(headers) })),
    );
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
