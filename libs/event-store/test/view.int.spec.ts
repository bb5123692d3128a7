import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CommandHandler,
  CommandLog,
  Database,
  PostgresEventStore,
  prepareViews,
  type StoredFact,
  View,
} from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { DoorView, doorDecider, doorFacts } from './door.js';
import { openServiceDatabase, type ServiceDatabase, service } from './service-database.js';

let opened: ServiceDatabase;
let handler: CommandHandler;
beforeAll(async () => {
  opened = await openServiceDatabase();
  handler = new CommandHandler({
    database: opened.database,
    store: opened.store,
    log: new CommandLog(opened.database, service),
    views: [new DoorView(1)],
  });
});
afterAll(() => opened.close());

const prepare = (...views: View[]) =>
  prepareViews({ database: opened.database, store: opened.store, service, views });
const open = (streamId: string, by: string) =>
  handler.handle({
    decider: doorDecider,
    facts: doorFacts,
    streamId,
    kind: 'door',
    partKey: streamId,
    command: { type: 'OpenDoor', by },
    call: testCall(),
  });
const table = async () =>
  (await opened.database.query<{ id: string }>('select * from door_keeper_view.door order by id')).rows;

describe('a view', () => {
  it('is made once and is up to date when a command has its answer', async () => {
    expect(await prepare(new DoorView(1))).toEqual(['door']);
    await open('a', 'ana');
    await open('a', 'ben');
    await open('b', 'ana');
    expect(await table()).toEqual([
      { id: 'a', opened: 2, last_by: null },
      { id: 'b', opened: 1, last_by: null },
    ]);
    expect(await prepare(new DoorView(1))).toEqual([]);
    expect(await table()).toHaveLength(2);
  });

  it('is rebuilt from all facts when its version changes, by one of several processes', async () => {
    const views = () => new DoorView(2);
    const rebuilt = await Promise.all([prepare(views()), prepare(views()), prepare(views())]);
    expect(rebuilt.flat()).toEqual(['door']);
    expect(await table()).toEqual([
      { id: 'a', opened: 2, last_by: 'ben' },
      { id: 'b', opened: 1, last_by: 'ana' },
    ]);
  });

  it('misses no fact that is appended while it is rebuilt', async () => {
    const opening = Promise.all(Array.from({ length: 40 }, (_, n) => open('c', `p${n}`)));
    const rebuilding = prepare(new DoorView(3));
    await Promise.all([opening, rebuilding]);
    expect((await table()).find(({ id }) => id === 'c')).toMatchObject({ opened: 40 });
  });

  it('is rebuilt although reading the facts takes longer than a transaction may be idle', async () => {
    class Slow extends PostgresEventStore {
      override async readAfter(pos: number, limit: number): Promise<StoredFact[]> {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return super.readAfter(pos, limit);
      }
    }
    const url = `${opened.runtimeUrl}?options=-c%20idle_in_transaction_session_timeout%3D100ms`;
    const database = new Database({ url, applicationName: 'a test' });
    try {
      const before = (await table()).map(({ id }) => id);
      const store = new Slow({ database, service });
      const views = [new DoorView(4)];
      expect(await prepareViews({ database, store, service, views })).toEqual(['door']);
      expect((await table()).map(({ id }) => id)).toEqual(before);
    } finally {
      await database.close();
    }
  });

  it('that fails to replay leaves the old one as it was', async () => {
    class Failing extends DoorView {
      override async apply(fact: StoredFact): Promise<void> {
        throw new Error(`cannot apply ${fact.type}`);
      }
    }
    const before = await table();
    await expect(prepare(new Failing(5))).rejects.toThrow('cannot apply DoorOpened');
    expect(await table()).toEqual(before);
  });

  it('without a table of its own is a mistake', async () => {
    class Thief extends View {
      readonly name = 'thief';
      readonly version = 1;
      readonly tables = 'create table if not exists door_keeper_view.door (id text)';
      async apply(): Promise<void> {}
    }
    await expect(prepare(new Thief())).rejects.toThrow('made no table of its own');
  });
});
