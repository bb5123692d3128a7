import { readdir } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { kafkaJars } from './kafka-jars.js';

describe('the jars of Apache Kafka', () => {
  it('are fetched once, for however many ask', async () => {
    const folders = await Promise.all([kafkaJars(), kafkaJars(), kafkaJars()]);
    expect(new Set(folders).size).toBe(1);
    expect(await readdir(folders[0] ?? '')).toContain('kafka_2.13-4.4.0.jar');
  });

  it('are not even looked for without Java, and one line says what to do', async () => {
    await expect(kafkaJars({ PATH: '' })).rejects.toThrow(
      /^Apache Kafka needs Java 17 or newer; install it, or name a running broker instead$/,
    );
  });
});
