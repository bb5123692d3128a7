import { describe, expect, it } from '@jest/globals';
import { PostgresEventStore } from '@writ/event-store';
import { eventStoreContract } from '@writ/event-store/event-store.contract.js';
import { testCall } from '@writ/testing/call.js';
import { openServiceDatabase, service } from './service-database.js';

eventStoreContract(
  'PostgreSQL',
  async () => {
    const { database, close } = await openServiceDatabase();
    const long: [string, number][] = [];
    const store = new PostgresEventStore({
      database,
      service,
      onLongStream: (...stream) => long.push(stream),
    });
    return { store, long, close };
  },
  testCall,
);

describe('rows beside facts', () => {
  it('stand at the places of their facts, and are not written when the append is refused', async () => {
    const { database, close } = await openServiceDatabase();
    const store = new PostgresEventStore({ database, service });
    await database.query('create table door_keeper_view.beside (pos bigint, note text)');
    const beside = {
      name: 'note',
      sql: (first: number) => `insert into door_keeper_view.beside
        select pos, note from unnest($${first}::text[]) with ordinality as n(note, nth) join fact using (nth)`,
      params: [['one', 'two "2"', 'three']],
    };
    const append = (streamId: string, ...texts: string[]) => ({
      streamId,
      kind: 'door',
      partKey: `{"${streamId}\\`,
      expected: 'none' as const,
      facts: texts.map((text) => ({ type: 'DoorOpened', data: Buffer.from(text) })),
      call: testCall(),
    });
    const appends = [append('a', '1', '2'), append('b"\\,{}', '3')];
    const stored = await database.transaction((tx) => store.appendOn(tx, appends, beside));
    await expect(database.transaction((tx) => store.appendOn(tx, appends, beside))).rejects.toMatchObject({
      code: 'STREAM_CONFLICT',
    });
    const { rows } = await database.query(
      'select pos::int as pos, note from door_keeper_view.beside order by pos',
    );
    expect(rows).toEqual(stored.map(({ pos }, place) => ({ pos, note: ['one', 'two "2"', 'three'][place] })));
    expect(await store.readAfter(0, 10)).toEqual(stored);
    await close();
  });
});
