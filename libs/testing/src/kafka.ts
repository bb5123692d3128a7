import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalBroker } from '@writ/event-bus/local-broker.js';

/** A real Apache Kafka node of a test's own, on 127.0.0.1 and in a temporary folder. */
export interface TestKafka {
  /** `host:port`, the same after `kill` and `startAgain`. */
  readonly brokers: string[];
  /** For SIGSTOP and SIGCONT. */
  readonly pid: number;
  /** kill -9 */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
  /** Ends the node and removes its data. */
  stop(): Promise<void>;
}

/** Starts a node in about five seconds; the first time ever, Maven fetches its jars. */
export async function startKafka(): Promise<TestKafka> {
  const folder = await mkdtemp(join(tmpdir(), 'writ-kafka-'));
  const broker = await LocalBroker.start(folder).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    brokers: broker.brokers,
    get pid() {
      return broker.pid;
    },
    kill: () => broker.kill(),
    startAgain: () => broker.startAgain(),
    stop: async () => {
      await broker.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
