import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandHandler, CommandLog, Database, GroupCommit, PostgresEventStore } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.js';
import { doorDecider, doorFacts } from './door.js';
import { faultsOf, follow } from './follow.js';
import { openServiceDatabase, type ServiceDatabase, service } from './service-database.js';

const WRITERS = 6;
const DOWN_MS = 2_000;

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase({ durable: true });
});
afterAll(() => opened.close());

/** Asks until it has an answer, as a client does that keeps its request id. */
async function insisting(ask: () => Promise<unknown>): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    try {
      await ask();
      return failures;
    } catch {
      await delay(20);
    }
  }
}

describe('when PostgreSQL is stopped at once under load and comes back', () => {
  it('every acknowledged fact is there, none twice, and positions have no gap', async () => {
    const { database, store, postgres } = opened;
    const handler = new CommandHandler({
      database,
      store,
      log: new CommandLog(database, service),
      views: [],
    });
    const group = new GroupCommit<string>({
      database,
      store,
      prepare: async (_tx, items) =>
        items.map((streamId) => ({ appends: [visit(streamId)], outcome: undefined })),
    });
    let writing = true;
    let failures = 0;
    const acknowledged: string[] = [];
    const commanding = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let turn = 0; writing; turn += 1) {
        const streamId = `w${writer}-${turn}`;
        failures += await insisting(() => handler.handle(openDoor(streamId)));
        acknowledged.push(streamId);
      }
    });
    const grouped: string[] = [];
    const grouping = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let turn = 0; writing; turn += 1) {
        const streamId = `g${writer}-${turn}`;
        await group.submit(streamId).then(
          () => grouped.push(streamId),
          () => delay(20),
        );
      }
    });

    await delay(700);
    const before = acknowledged.length;
    await postgres.crash();
    await delay(DOWN_MS);
    await postgres.startAgain();
    await delay(700);
    writing = false;
    await Promise.all([...commanding, ...grouping]);

    expect(before).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(before);
    expect(failures).toBeGreaterThan(0);
    const seen = await follow(
      (pos, limit) => store.readAfter(pos, limit * 100),
      () => true,
    );
    expect(faultsOf(seen, await store.head())).toEqual([]);
    const { rows } = await opened.owner.query<{ stream: string; facts: number }>(
      'select stream_id as stream, count(*)::int as facts from door_keeper.event group by stream_id',
    );
    const facts = new Map(rows.map(({ stream, facts: count }) => [stream, count]));
    expect(acknowledged.filter((streamId) => facts.get(streamId) !== 1)).toEqual([]);
    expect(grouped.filter((streamId) => facts.get(streamId) !== 1)).toEqual([]);
    expect(rows.filter(({ facts: count }) => count !== 1)).toEqual([]);
  });
});

describe('when the connection is cut between commit and reply', () => {
  let proxy: CuttingProxy;
  let database: Database;
  beforeAll(async () => {
    proxy = await startCuttingProxy(opened.postgres.port);
    const url = opened.runtimeUrl.replace(`:${opened.postgres.port}/`, `:${proxy.port}/`);
    database = new Database({ url, applicationName: 'behind the proxy' });
  });
  afterAll(async () => {
    await database.close();
    await proxy.close();
  });

  it('a retry with the same request id has the answer of the first and no second effect', async () => {
    const store = new PostgresEventStore({ database, service });
    const handler = new CommandHandler({
      database,
      store,
      log: new CommandLog(database, service),
      views: [],
    });
    for (let turn = 0; turn < 5; turn += 1) {
      const streamId = `lost-${turn}`;
      proxy.cutAfterCommit();
      await expect(handler.handle(openDoor(streamId))).rejects.toThrow();
      expect(proxy.lost()).toBe(turn + 1);
      const [fact] = await opened.store.read(streamId);
      const answer = { streamId, version: 1, pos: fact?.pos, state: { opened: 1 }, replayed: true };
      expect(await handler.handle(openDoor(streamId))).toMatchObject(answer);
      expect(await opened.store.read(streamId)).toHaveLength(1);
    }
  });
});

function visit(streamId: string) {
  const facts = [{ type: 'VisitorCame', data: Buffer.from(streamId) }];
  return { streamId, kind: 'visit', partKey: streamId, expected: 'none' as const, facts, call: testCall() };
}

function openDoor(streamId: string) {
  return {
    decider: doorDecider,
    facts: doorFacts,
    streamId,
    kind: 'door',
    partKey: streamId,
    command: { type: 'OpenDoor', by: 'ana' } as const,
    call: testCall({ requestId: `open ${streamId}` }),
  };
}
