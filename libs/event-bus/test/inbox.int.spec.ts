import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Database } from '@writ/event-store';
import fc from 'fast-check';
import { Inbox } from '../src/inbox.js';
import { World } from './world.js';

describe('the inbox of a group', () => {
  let world: World;
  let database: Database;
  let groups = 0;
  beforeAll(async () => {
    world = await World.start();
    database = await world.service('sink');
  });
  afterAll(() => world.stop());

  async function inboxWith(source: string): Promise<Inbox> {
    groups += 1;
    const inbox = new Inbox('sink_view', `group${groups}`);
    await inbox.prepare(database, [source]);
    return inbox;
  }
  /** Answers which of the positions were received before. */
  const receive = (inbox: Inbox, positions: readonly number[], offset = 0) =>
    database.transaction(async (tx) => {
      const opened = await inbox.open(tx, 'registry', 0, positions);
      await inbox.close(tx, 'registry', 0, opened, { positions, offset });
      return [...opened.seen].sort((a, b) => a - b);
    });

  it('knows exactly what was received, in whatever order and however often', async () => {
    const batch = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 8 }), async (batches) => {
        const inbox = await inboxWith('registry');
        const model = new Set<number>();
        for (const positions of batches) {
          const seen = [...new Set(positions)].filter((pos) => model.has(pos)).sort((a, b) => a - b);
          expect(await receive(inbox, positions)).toEqual(seen);
          for (const pos of positions) model.add(pos);
        }
        const sorted = [...model].sort((a, b) => a - b);
        const breaks = sorted.filter((pos, at) => at === 0 || pos !== (sorted[at - 1] ?? 0) + 1);
        const completeTo = sorted.findIndex((pos, at) => pos !== at + 1);
        expect((await inbox.positions(database)).get('registry')).toEqual({
          completeTo: completeTo === -1 ? sorted.length : completeTo,
          highest: sorted.at(-1) ?? 0,
          ranges: breaks.length,
        });
      }),
      { numRuns: 40 },
    );
  });

  it('stays exact and becomes one range again after partitions came apart by tens of thousands', async () => {
    const inbox = await inboxWith('registry');
    const every = (start: number) => Array.from({ length: 1500 }, (_, index) => start + 12 * index);
    for (let round = 0; round < 3; round += 1)
      for (let partition = 1; partition <= 12; partition += 1)
        expect(await receive(inbox, every(round * 18_000 + partition))).toEqual([]);
    expect(await receive(inbox, [1, 36_007, 54_000, 54_001])).toEqual([1, 36_007, 54_000]);
    expect((await inbox.positions(database)).get('registry')).toEqual({
      completeTo: 54_001,
      highest: 54_001,
      ranges: 1,
    });
  });

  it('never moves a partition back', async () => {
    const inbox = await inboxWith('registry');
    await receive(inbox, [1], 10);
    await receive(inbox, [2], 4);
    const offset = await database.transaction((tx) =>
      inbox.open(tx, 'registry', 0, []).then((opened) => opened.offset),
    );
    expect(offset).toBe(10);
  });

  it('refuses a source it was not prepared for', async () => {
    const inbox = await inboxWith('registry');
    await expect(database.transaction((tx) => inbox.lock(tx, 'vault'))).rejects.toThrow(
      'was not prepared for `vault`',
    );
  });
});
