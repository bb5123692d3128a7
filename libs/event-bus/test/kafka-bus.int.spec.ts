import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startKafka, type TestKafka } from '@writ/testing/kafka.js';
import { describeBus, eventually } from '../src/event-bus.contract.js';
import { KafkaBus } from '../src/kafka-bus.js';

describeBus('Apache Kafka', async () => {
  const kafka = await startKafka();
  const fatal: Error[] = [];
  return {
    bus: () =>
      new KafkaBus({
        brokers: kafka.brokers,
        clientId: 'contract',
        replicationFactor: 1,
        log: () => undefined,
        onFatal: (error) => fatal.push(error),
      }),
    stop: async () => {
      await kafka.stop();
      if (fatal.length > 0) throw new AggregateError(fatal, 'a consumer died');
    },
  };
});

/** A way to the broker that lets its first visitor through and hangs up on all others. */
async function doorTo(broker: string) {
  const open = new Set<Socket>();
  const port = Number(broker.split(':')[1]);
  let visitors = 0;
  const server = createServer((socket) => {
    visitors += 1;
    if (visitors > 1) return socket.destroy();
    open.add(socket);
    const onward = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(socket);
      onward.destroy();
    });
    onward.on('error', () => undefined).on('close', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    broker: `127.0.0.1:${address.port}`,
    open,
    visitors: () => visitors,
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

describe('a bus on Apache Kafka', () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());

  it('leaves no connection behind when the broker answers only half of it', async () => {
    const door = await doorTo(kafka.brokers[0] ?? '');
    const bus = new KafkaBus({
      brokers: [door.broker],
      clientId: 'half',
      replicationFactor: 1,
      log: () => undefined,
      onFatal: () => undefined,
    });
    try {
      await expect(bus.ensureTopics([{ topic: 't', partitions: 1 }])).rejects.toThrow('no Kafka broker');
      expect(door.visitors()).toBeGreaterThan(1);
      await eventually('nobody is connected', () => door.open.size === 0);
    } finally {
      await bus.close();
      door.close();
    }
  }, 60_000);
});
