import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { murmur2, partitionOf } from './murmur2.js';

const kafkajs = Partitioners.DefaultPartitioner();
const metadata = (partitions: number) =>
  Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));

describe('the partition of a key', () => {
  it('is the one Kafka clients choose', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        (key, partitions) => {
          fc.pre(key.isWellFormed());
          const message = { key, value: null };
          const expected = kafkajs({ topic: 't', partitionMetadata: metadata(partitions), message });
          expect(partitionOf(key, partitions)).toBe(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('rests on the hash of the Java client', () => {
    // The table of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    const table: [string, number][] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ];
    for (const [key, hash] of table) expect(murmur2(Buffer.from(key))).toBe(hash);
  });
});
