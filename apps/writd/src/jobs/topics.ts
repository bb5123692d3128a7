import { factsTopicSpec, KafkaBus } from '@writ/event-bus';
import { createLogger, readSettings, SettingsError, settings } from '@writ/service';
import { suiteServices } from '../suite/suite.js';
import { runJob } from './job.js';

const table = {
  kafkaBrokers: settings.list({ doc: 'Kafka brokers, `host:port` separated by commas' }),
  kafkaReplication: settings.integer({ doc: 'copies of each Kafka topic', fallback: 3, min: 1, max: 5 }),
};

/** Before any service, so that none has to wait for another's topic. Each makes its own again where it is missing. */
await runJob('topics', async (say) => {
  const { kafkaBrokers: brokers, kafkaReplication: replicationFactor } = readSettings(table, process.env);
  if (brokers.length === 0) throw new SettingsError('WRIT_KAFKA_BROKERS names no broker');
  const logger = createLogger({ service: 'topics', level: 'warn' });
  const bus = new KafkaBus({
    brokers,
    clientId: 'writ-topics',
    replicationFactor,
    log: (level, message, { error, ...fields }) => logger[level]({ ...fields, err: error }, message),
    onFatal: (cause) => {
      throw cause;
    },
  });
  try {
    const specs = suiteServices.map((service) => factsTopicSpec(service));
    await bus.ensureTopics(specs);
    say(specs.map(({ topic }) => topic).join(', '));
  } finally {
    await bus.close();
  }
});
