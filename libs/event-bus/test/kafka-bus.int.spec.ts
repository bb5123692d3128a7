import { startKafka } from '@writ/testing/kafka.js';
import { describeBus } from '../src/event-bus.contract.js';
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
