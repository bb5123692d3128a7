import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { type ConsumedFact, factsTopic, recordOf } from '../src/cloud-event.js';
import { eventually } from '../src/event-bus.contract.js';
import type { FactConsumer } from '../src/fact-consumer.js';
import { partitionOf } from '../src/murmur2.js';
import { PostgresBus } from '../src/postgres-bus.js';
import { Started } from './delivery.contract.js';
import { Effects, onceAndInOrder, type Pair, World } from './world.js';

describe('a consumer', () => {
  const started = new Started();
  let world: World;
  let pair: Pair;
  let bus: PostgresBus;
  beforeAll(async () => {
    // One rule is about a crash of the server, which must not lose what it confirmed.
    world = await World.start({ durable: true });
  });
  afterEach(() => started.stop());
  afterAll(() => world.stop());

  const prepare = async (consumer: (of: Pair) => FactConsumer = (of) => of.consumer(bus)) => {
    pair = await world.pair();
    bus = started.bus(new PostgresBus(world.connect(pair.sink), world.log));
    started.relay(pair.relay(bus));
    return started.consumer(consumer(pair));
  };
  const received = async (consumer: FactConsumer) => (await consumer.positions()).get(pair.source);
  const completeTo = (consumer: FactConsumer, pos: number) =>
    eventually(`${pos} received`, async () => (await received(consumer))?.completeTo === pos);
  const letters = async (consumer: FactConsumer) =>
    (await consumer.deadLetters(100)).map(({ pos, reason }) => `${pos}: ${reason}`);

  it('sets a record aside that is no fact, tells its reactions, and goes on behind it', async () => {
    const consumer = await prepare();
    await pair.append('agt_a');
    await completeTo(consumer, 1);
    const topic = factsTopic(pair.source);
    const partition = partitionOf('agt_a', 12);
    const [fact] = await pair.store.readAfter(0, 1);
    if (fact === undefined) throw new Error('no fact');
    const good = recordOf(pair.source, 'source', fact);
    await bus.publish(topic, partition, [
      { key: 'agt_a', headers: {}, value: Buffer.from('no fact') },
      { ...good, headers: { ...good.headers, ce_source: '/writ/vault', pos: '99' } },
      { ...good, key: 'agt_b', headers: { ...good.headers, pos: '98' } },
    ]);
    await pair.append('agt_a');
    await completeTo(consumer, 2);
    expect((await pair.effects()).map(({ pos, stream, data }) => [pos, stream, data])).toEqual([
      [1, 'agt_a', '1'],
      [0, `${partition}/1`, 'header `ce_type` is missing'],
      [0, `${partition}/2`, `\`ce_source\` is not the source of \`${topic}\``],
      [0, `${partition}/3`, '`ce_partitionkey` differs from the key'],
      [2, 'agt_a', '2'],
    ]);
    const kept = await consumer.deadLetters(10);
    expect(kept.map(({ record, reason }) => [record.offset, reason])).toEqual([
      [1, 'undecodable'],
      [2, 'undecodable'],
      [3, 'undecodable'],
    ]);
    expect(Buffer.from(kept[0]?.record.value ?? []).toString()).toBe('no fact');
  });

  it('parks the key of a fact it cannot handle, serves all others, and catches up when told to', async () => {
    const consumer = await prepare();
    let tries = 0;
    pair.reactions.fault = async ({ streamId, version }) => {
      if (streamId !== 'agt_bad' || version !== 2) return;
      tries += 1;
      throw new Error('no codec for this fact');
    };
    const others = ['agt_a', 'agt_b', 'agt_c', 'agt_d'];
    await pair.append(...others, 'agt_bad', ...others, 'agt_bad', 'agt_bad', ...others);
    await completeTo(consumer, 15);
    await pair.append('agt_bad', ...others);
    await completeTo(consumer, 20);
    expect(await letters(consumer)).toEqual(['10: failed', '11: behind', '16: behind']);
    expect((await consumer.deadLetters(1))[0]?.detail).toBe('Error: no codec for this fact');
    expect(
      onceAndInOrder(
        (await pair.effects()).filter(({ stream }) => stream !== 'agt_bad'),
        0,
      ),
    ).toEqual([]);
    expect(await pair.count()).toBe(17);

    await expect(consumer.redrive('agt_bad')).rejects.toThrow(
      `redriving \`agt_bad\` stopped at ${pair.source}/10`,
    );
    const triesSoFar = tries;
    pair.reactions.fault = async () => undefined;
    expect(await consumer.redrive('agt_bad')).toBe(3);
    expect(await letters(consumer)).toEqual([]);
    await pair.append('agt_bad');
    await completeTo(consumer, 21);
    expect(onceAndInOrder(await pair.effects(), 21)).toEqual([]);
    expect(await letters(consumer)).toEqual([]);
    expect(triesSoFar).toBeGreaterThanOrEqual(4);
  });

  it('blames no fact for a database that goes away, and handles it once it is back', async () => {
    const consumer = await prepare();
    let cuts = 0;
    pair.reactions.fault = async (_fact, tx) => {
      cuts += 1;
      if (cuts <= 4) await tx.query('select pg_terminate_backend(pg_backend_pid())');
    };
    await pair.append('agt_a', 'agt_b', 'agt_a');
    await completeTo(consumer, 3);
    expect(onceAndInOrder(await pair.effects(), 3)).toEqual([]);
    expect(await letters(consumer)).toEqual([]);
    expect(cuts).toBeGreaterThan(4);
  });

  it('goes on when the server itself crashes and comes back', async () => {
    const consumer = await prepare();
    await pair.append('agt_a', 'agt_b');
    await completeTo(consumer, 2);
    await world.crashAndRecover();
    await eventually('an append succeeds', () =>
      pair.append('agt_a').then(
        () => true,
        () => false,
      ),
    );
    await eventually('all effects', async () => (await pair.count().catch(() => 0)) === 3);
    expect(onceAndInOrder(await pair.effects(), 3)).toEqual([]);
    expect(await letters(consumer)).toEqual([]);
  });

  it('gives a batch to reactions that want one, and finds the bad fact in it', async () => {
    const sizes: number[] = [];
    class Batches extends Effects {
      override async handleBatch(
        facts: readonly ConsumedFact[],
        tx: Tx,
        callFor: (fact: ConsumedFact) => Call,
      ) {
        sizes.push(facts.length);
        if (facts.some(({ version }) => version === 50)) throw new Error('version 50 is too much');
        for (const fact of facts) await super.handle(fact, tx, callFor(fact));
      }
      override async handle(fact: ConsumedFact, tx: Tx, call: Call) {
        if (fact.version === 50) throw new Error('version 50 is too much');
        await super.handle(fact, tx, call);
      }
    }
    const consumer = await prepare((of) => of.consumer(bus, new Batches([of.source], of.views)));
    await pair.append(...Array.from({ length: 100 }, () => 'agt_a'));
    await completeTo(consumer, 100);
    expect((await pair.effects()).map(({ version }) => version)).toEqual(
      Array.from({ length: 49 }, (_, index) => index + 1),
    );
    expect(await letters(consumer)).toHaveLength(51);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
  });

  it('hands over what was prepared of each fact, and finds the one that could not be', async () => {
    const given: string[] = [];
    class Preparing extends Effects {
      override prepareFact({ version }: ConsumedFact) {
        if (version === 50) throw new Error('version 50 is too much');
        return `prepared ${version}`;
      }
      override async handleBatch(
        facts: readonly ConsumedFact[],
        tx: Tx,
        callFor: (fact: ConsumedFact) => Call,
        prepared: readonly unknown[],
      ) {
        for (const [at, fact] of facts.entries()) await this.handle(fact, tx, callFor(fact), prepared[at]);
      }
      override async handle(fact: ConsumedFact, tx: Tx, call: Call, prepared?: unknown) {
        given.push(`${fact.streamId} ${fact.version}: ${prepared}`);
        await super.handle(fact, tx, call);
      }
    }
    const consumer = await prepare((of) => of.consumer(bus, new Preparing([of.source], of.views)));
    await pair.append(...Array.from({ length: 60 }, () => 'agt_a'), 'agt_b');
    await completeTo(consumer, 61);
    expect(await letters(consumer)).toEqual([
      '50: failed',
      ...Array.from({ length: 10 }, (_, at) => `${51 + at}: behind`),
    ]);
    expect((await consumer.deadLetters(1))[0]?.detail).toBe('Error: version 50 is too much');
    expect(new Set(given)).toEqual(
      new Set([
        ...Array.from({ length: 49 }, (_, at) => `agt_a ${at + 1}: prepared ${at + 1}`),
        'agt_b 1: prepared 1',
      ]),
    );
    await expect(consumer.redrive('agt_a')).rejects.toThrow(`stopped at ${pair.source}/50`);
  });

  it('takes a partition from a member that lost its session, and no effect happens twice', async () => {
    await prepare();
    const second = await started.consumer(
      pair.consumer(started.bus(new PostgresBus(world.connect(pair.sink), world.log))),
    );
    for (let round = 0; round < 3; round += 1) {
      await pair.append('agt_a', 'agt_b', 'agt_c', 'agt_d', 'agt_e', 'agt_f');
      await world.admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and query not like 'insert%'`,
        [pair.sink],
      );
    }
    await completeTo(second, 18);
    expect(onceAndInOrder(await pair.effects(), 18)).toEqual([]);
    expect(await letters(second)).toEqual([]);
  });
});
