import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Consumer, ConsumerConfig, Kafka } from 'kafkajs';
import { KafkaMember } from './kafka-member.js';

/** A kafkajs consumer that does what a test says. */
class FakeConsumer {
  readonly events = { CRASH: 'crash', GROUP_JOIN: 'join' };
  readonly heard = new Map<string, (event: unknown) => void>();
  connect = async (): Promise<void> => undefined;
  readonly subscribe = async () => undefined;
  readonly run = async () => undefined;
  readonly disconnect = async () => undefined;

  on(event: string, listener: (event: unknown) => void): void {
    this.heard.set(event, listener);
  }
}

function memberOn(fake: FakeConsumer) {
  const configs: ConsumerConfig[] = [];
  const kafka: Pick<Kafka, 'consumer'> = {
    consumer: (config) => {
      if (config) configs.push(config);
      return fake as unknown as Consumer;
    },
  };
  const member = new KafkaMember({
    kafka: kafka as Kafka,
    group: 'effects',
    topics: ['t'],
    log: () => undefined,
    onFatal: () => undefined,
    onBatch: async () => undefined,
    fetchSilenceMsMax: 60_000,
  });
  return { member, rebalanceMs: configs[0]?.rebalanceTimeout ?? Number.NaN };
}

describe('a member of a Kafka group', () => {
  afterEach(() => void jest.useRealTimers());

  it('that can never join while the broker has not answered yet fails, and does not end the process', async () => {
    const fake = new FakeConsumer();
    const connecting = Promise.withResolvers<void>();
    fake.connect = () => connecting.promise;
    const { member } = memberOn(fake);
    const starting = member.start();
    fake.heard.get('crash')?.({ payload: { error: new Error('another protocol'), restart: false } });
    // Node calls a rejection unhandled at the end of this turn.
    await new Promise((resolve) => setTimeout(resolve, 10));
    connecting.resolve();
    await expect(starting).rejects.toThrow('joining group `effects` failed');
  });

  it('waits for its group for as long as the group may take to form', async () => {
    jest.useFakeTimers();
    const fake = new FakeConsumer();
    const { member, rebalanceMs } = memberOn(fake);
    const starting = member.start().then(() => 'joined');
    await jest.advanceTimersByTimeAsync(rebalanceMs + 1_000);
    fake.heard.get('join')?.({});
    expect(await starting).toBe('joined');
  });
});
