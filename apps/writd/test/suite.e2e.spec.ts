import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { fromOutside } from './outside.js';
import { freePortBase, newFolder, Writd } from './running.js';

const MINUTES = 60_000;
const withKafka = process.env.WRIT_TEST_NO_KAFKA === undefined ? describe : describe.skip;
const folder = newFolder();
let base: number;
let running: Writd;

withKafka('a suite of separate processes on Apache Kafka', () => {
  beforeAll(async () => {
    base = await freePortBase();
    running = new Writd(['--data', folder.path, '--port-base', String(base), '--suite']);
    await running.says('Running. Ctrl-C stops it', 12 * MINUTES);
  }, 13 * MINUTES);

  afterAll(async () => {
    await running?.stop();
    folder.remove();
  }, MINUTES);

  it('walks the main job, killing each of the six services in turn, and every step holds', () => {
    expect(running.output).toContain('All ten steps held.');
    for (const service of ['registry', 'session-broker', 'policy-engine', 'approvals', 'vault', 'audit']) {
      expect(running.output).toContain(`${service} killed in the middle of a decision`);
    }
  });

  it('has every fact in its ledger, once, although every service was killed', async () => {
    const outside = await fromOutside(folder.path, base);
    const counts = await outside.sql<{ source: string; entries: string }>(
      'writ',
      'select source, count(*) as entries from ledger.entry where pos > 0 group by source',
    );
    expect(counts).toHaveLength(5);
    for (const { source, entries } of counts) {
      const [head] = await outside.sql<{ pos: string }>(
        'writ',
        `select pos from ${source.replaceAll('-', '_')}.head`,
      );
      expect(`${source} ${entries}`).toBe(`${source} ${head?.pos}`);
    }
    expect(await outside.verify()).toMatchObject({ faults: [] });
    outside.close();
  });

  it(
    'publishes facts as CloudEvents that any Kafka client can read',
    async () => {
      const outside = await fromOutside(folder.path, base);
      const { others } = await outside.home.suite();
      outside.close();
      const kafka = new Kafka({ brokers: [others.kafka ?? ''], logLevel: logLevel.NOTHING });
      const consumer = kafka.consumer({ groupId: 'a-foreign-client' });
      await consumer.connect();
      await consumer.subscribe({ topic: 'writ.registry.facts.v1', fromBeginning: true });
      const headers = await new Promise<Record<string, string>>((resolve, reject) => {
        consumer
          .run({
            eachMessage: async ({ message }) =>
              resolve(
                Object.fromEntries(
                  Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
                ),
              ),
          })
          .catch(reject);
      });
      await consumer.disconnect();
      expect(headers).toMatchObject({
        ce_specversion: '1.0',
        ce_source: '/writ/registry',
        'content-type': 'application/protobuf',
      });
      expect(headers.ce_type).toMatch(/^writ\.registry\.v1\.\w+$/);
      expect(headers.pos).toMatch(/^\d+$/);
    },
    MINUTES,
  );
});
