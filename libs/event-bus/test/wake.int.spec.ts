import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseSession } from '../src/database-session.js';
import { eventually } from '../src/event-bus.contract.js';
import { PostgresBus, WAKE_CHANNEL } from '../src/postgres-bus.js';
import { World } from './world.js';

describe('a publication on PostgreSQL', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world.stop());

  it('wakes other processes, once for many publications', async () => {
    const database = await world.service('registry');
    const bus = new PostgresBus(database, world.log);
    await bus.ensureTopics([
      { topic: 'one', partitions: 1 },
      { topic: 'two', partitions: 1 },
    ]);
    const heard: string[] = [];
    const session = await DatabaseSession.open(world.admin);
    await session.listen(WAKE_CHANNEL, (payload) => heard.push(payload));
    const record = { key: 'k', headers: {}, value: Buffer.from('v') };
    const publications = Array.from({ length: 40 }, (_, n) =>
      bus.publish(n % 2 ? 'one' : 'two', 0, [record]),
    );
    await Promise.all(publications);
    const topics = () => new Set(heard.flatMap((payload) => payload.split(' ')));
    await eventually('both topics were named', () => topics().size === 2);
    expect(heard.length).toBeLessThan(20);
    session.close();
    await bus.close();
  });

  it('reaches a member whom nobody woke', async () => {
    const database = await world.service('vault');
    const bus = new PostgresBus(database, world.log);
    await bus.ensureTopics([{ topic: 'quiet', partitions: 1 }]);
    const values: string[] = [];
    await bus.subscribe({
      group: 'g',
      topics: ['quiet'],
      onBatch: async ({ records }) => void values.push(...records.map(({ key }) => key)),
    });
    // Around the bus, as another process would whose hint was lost.
    await world.admin.query(
      `select bus.publish('quiet', 0, array['silent'], array['{}'], array['\\x00'::bytea])`,
    );
    await eventually('it was found', () => values.includes('silent'));
    await bus.close();
  });
});
