import { createRequire } from 'node:module';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import type { BusLog } from './bus.js';

/** The part of kafkajs 2.2.4 that is corrected here (`src/network/requestQueue/index.js`). */
interface RequestQueue {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

/**
 * kafkajs re-arms a timer of 1 ms for ever on every connection, with a negative delay besides, which Node
 * answers with a `TimeoutNegativeWarning` (tulios/kafkajs#1751). A timer is needed only while requests wait;
 * then its delay is positive.
 */
const { prototype }: { prototype: RequestQueue } = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue',
);
const { scheduleCheckPendingRequests } = prototype;
prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue) {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};

/** The client, corrected. Import it from here only. */
export { Kafka };

const levels = new Map<logLevel, 'debug' | 'info' | 'warn' | 'error'>([
  [logLevel.DEBUG, 'debug'],
  [logLevel.INFO, 'info'],
  [logLevel.WARN, 'warn'],
  [logLevel.ERROR, 'error'],
]);

/** What kafkajs says, said by `log`. Its own fields name topics, groups and brokers, no records. */
export function logCreatorFor(log: BusLog): KafkaConfig['logCreator'] {
  return () =>
    ({ namespace, level, log: entry }) => {
      const { message, timestamp: _, logger: __, ...fields } = entry;
      log(levels.get(level) ?? 'info', `kafkajs ${namespace}: ${message}`, fields);
    };
}
