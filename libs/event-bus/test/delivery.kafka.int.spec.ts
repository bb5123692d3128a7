import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startKafka, type TestKafka } from '@writ/testing/kafka.js';
import { PartitionAssigners, Partitioners } from 'kafkajs';
import { recordOf } from '../src/cloud-event.js';
import { eventually } from '../src/event-bus.contract.js';
import { KafkaBus } from '../src/kafka-bus.js';
import { Kafka, logCreatorFor } from '../src/kafkajs-guard.js';
import { partitionOf } from '../src/murmur2.js';
import { describeDelivery, Started } from './delivery.contract.js';
import { onceAndInOrder, World } from './world.js';

let world: World;
let kafka: TestKafka;
const fatal: Error[] = [];
beforeAll(async () => {
  [world, kafka] = await Promise.all([World.start(), startKafka()]);
});
afterAll(async () => {
  await kafka.stop();
  await world.stop();
});

const newBus = (settings: { fetchSilenceMsMax?: number } = {}) =>
  new KafkaBus({
    brokers: kafka.brokers,
    clientId: 'delivery',
    replicationFactor: 1,
    log: world.log,
    onFatal: (error) => fatal.push(error),
    ...settings,
  });

describeDelivery('Apache Kafka', { world: () => world, bus: () => newBus() });

describe('facts on Apache Kafka', () => {
  const started = new Started();
  afterEach(() => started.stop());
  const agents = Array.from({ length: 30 }, (_, place) => `agt_${place}`);

  it('take effect once although the broker is killed under load, twice', async () => {
    const pair = await world.pair();
    const relay = started.relay(pair.relay(started.bus(newBus())));
    const consumer = await started.consumer(pair.consumer(started.bus(newBus())));
    let appended = 0;
    let going = true;
    const load = (async () => {
      while (going) {
        await pair.append(...agents);
        appended += agents.length;
      }
    })();
    for (let round = 0; round < 2; round += 1) {
      const before = await pair.count();
      await eventually('some effects', async () => (await pair.count()) > before + 50);
      await kafka.kill();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await kafka.startAgain();
    }
    going = false;
    await load;
    await eventually('the relay catches up', async () => (await relay.lag()) === 0);
    await eventually('all effects', async () => (await pair.count()) >= appended);
    expect(onceAndInOrder(await pair.effects(), appended)).toEqual([]);
    expect((await consumer.positions()).get(pair.source)).toEqual({
      completeTo: appended,
      highest: appended,
      ranges: 1,
    });
    expect(await consumer.deadLetters(1)).toEqual([]);
    expect(fatal).toEqual([]);
  }, 120_000);

  it('show a hole where the broker has forgotten, until the relay is rewound', async () => {
    const pair = await world.pair();
    const bus = started.bus(newBus());
    const relay = started.relay(pair.relay(bus));
    await pair.append(...agents, ...agents);
    await eventually('all is published', async () => (await relay.lag()) === 0);
    const admin = new Kafka({ brokers: kafka.brokers, logCreator: logCreatorFor(world.log) }).admin();
    await admin.connect();
    const topic = `writ.${pair.source}.facts.v1`;
    const offsets = await admin.fetchTopicOffsets(topic);
    const forgotten = offsets
      .filter(({ high }) => Number(high) > 2)
      .map(({ partition }) => ({ partition, offset: '2' }));
    await admin.deleteTopicRecords({ topic, partitions: forgotten });
    await admin.disconnect();
    const consumer = await started.consumer(pair.consumer(bus));
    const remembered = 60 - 2 * forgotten.length;
    await eventually('what the broker remembers', async () => (await pair.count()) === remembered);
    expect((await consumer.positions()).get(pair.source)?.completeTo).toBeLessThan(60);
    await relay.rewind(0);
    await eventually('the rest', async () => (await pair.count()) === 60);
    expect((await consumer.positions()).get(pair.source)).toEqual({ completeTo: 60, highest: 60, ranges: 1 });
  });

  it('go on behind a stranger’s record with NUL in its key, which is set aside', async () => {
    const pair = await world.pair();
    const bus = started.bus(newBus());
    const consumer = await started.consumer(pair.consumer(bus));
    const topic = `writ.${pair.source}.facts.v1`;
    await pair.append('agt_1', 'agt_1');
    const [fact, next] = await pair.store.readAfter(0, 2);
    if (fact === undefined || next === undefined) throw new Error('no facts');
    const partition = partitionOf('agt_1', 12);
    const forged = recordOf(pair.source, 'source', { ...fact, partKey: 'agt\u0000_1' });
    const kafkaOfStranger = new Kafka({ brokers: kafka.brokers, logCreator: logCreatorFor(world.log) });
    const stranger = kafkaOfStranger.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await stranger.connect();
    try {
      const value = Buffer.from(forged.value);
      const messages = [
        { partition, key: 'a\u0000b', value, headers: { 'x\u0000': 'y\u0000' } },
        { partition, key: forged.key, value, headers: { ...forged.headers } },
      ];
      await stranger.send({ topic, messages });
    } finally {
      await stranger.disconnect();
    }
    await bus.publish(topic, partition, [recordOf(pair.source, 'source', next)]);
    await eventually('the fact behind', async () =>
      (await pair.effects()).some(({ pos }) => pos === next.pos),
    );
    const letters = await consumer.deadLetters(9);
    expect(letters.map(({ reason, record }) => [reason, record.key])).toEqual([
      ['undecodable', 'a\ufffdb'],
      ['undecodable', 'agt\ufffd_1'],
    ]);
    expect((await pair.effects()).filter(({ pos }) => pos !== 0)).toHaveLength(1);
  });

  it('come with a consumer that says so when the broker falls silent', async () => {
    const pair = await world.pair();
    const consumer = await started.consumer(pair.consumer(started.bus(newBus({ fetchSilenceMsMax: 2_000 }))));
    expect(consumer.healthy()).toBe(true);
    process.kill(kafka.pid, 'SIGSTOP');
    try {
      await eventually('it is unhealthy', () => !consumer.healthy());
    } finally {
      process.kill(kafka.pid, 'SIGCONT');
    }
    await eventually('it is healthy again', () => consumer.healthy());
  });

  it('end the process, by its own hand, when a consumer can never go on', async () => {
    const pair = await world.pair();
    const bus = started.bus(newBus());
    const consumer = pair.consumer(bus);
    await bus.ensureTopics([{ topic: `writ.${pair.source}.facts.v1`, partitions: 12 }]);
    const stranger = new Kafka({ brokers: kafka.brokers, logCreator: logCreatorFor(world.log) }).consumer({
      groupId: pair.reactions.group,
      partitionAssigners: [
        (config) => ({
          ...PartitionAssigners.roundRobin(config),
          name: 'Other',
          protocol: () => ({ name: 'Other', metadata: Buffer.alloc(0) }),
        }),
      ],
    });
    await stranger.connect();
    try {
      await stranger.subscribe({ topics: [`writ.${pair.source}.facts.v1`] });
      const joined = new Promise<void>((resolve) => void stranger.on('consumer.group_join', () => resolve()));
      await stranger.run({ eachMessage: async () => undefined });
      await joined;
      await expect(consumer.start()).rejects.toThrow('joining group `effects` failed');
      expect(fatal.map(({ message }) => message)).toEqual(['the consumer of group `effects` is dead']);
    } finally {
      await stranger.disconnect();
    }
  });
});
