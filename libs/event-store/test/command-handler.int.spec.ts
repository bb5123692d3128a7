import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandHandler, CommandLog, prepareViews } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { testCall, testRequestHash } from '@writ/testing/call.js';
import { type DoorCommand, DoorView, doorDecider, doorFacts } from './door.js';
import { openServiceDatabase, type ServiceDatabase, service } from './service-database.js';

let opened: ServiceDatabase;
let handler: CommandHandler;
let log: CommandLog;
beforeAll(async () => {
  opened = await openServiceDatabase();
  const { database, store } = opened;
  const views = [new DoorView(1)];
  log = new CommandLog(database, service);
  expect(await prepareViews({ database, store, service, views })).toEqual(['door']);
  handler = new CommandHandler({ database, store, log, views });
});
afterAll(() => opened.close());

const order = (streamId: string, command: DoorCommand, call: Call = testCall(), expectedEtag?: string) => ({
  decider: doorDecider,
  facts: doorFacts,
  streamId,
  kind: 'door',
  partKey: streamId,
  command,
  call,
  expectedEtag,
});
const open = (by: string): DoorCommand => ({ type: 'OpenDoor', by });
const lock: DoorCommand = { type: 'LockDoor', reason: 'night' };
const opens = async (streamId: string): Promise<number> => {
  const { rows } = await opened.database.query<{ opened: number }>(
    'select opened from door_keeper_view.door where id = $1',
    [streamId],
  );
  return rows[0]?.opened ?? 0;
};

describe('a command', () => {
  it('is decided on what has happened, and answers what it led to', async () => {
    const first = await handler.handle(order('a', open('ana')));
    expect(first).toMatchObject({ streamId: 'a', version: 1, state: { opened: 1 }, replayed: false });
    expect(first.facts).toEqual([{ type: 'DoorOpened', data: { by: 'ana' } }]);
    await handler.handle(order('a', lock));
    await expect(handler.handle(order('a', open('ben')))).rejects.toMatchObject({ code: 'DOOR_LOCKED' });
    expect((await opened.store.read('a')).map(({ type }) => type)).toEqual(['DoorOpened', 'DoorLocked']);
  });

  it('that changes nothing appends nothing', async () => {
    await handler.handle(order('still', lock));
    const head = await opened.store.head();
    expect(await handler.handle(order('still', lock))).toMatchObject({
      version: 1,
      pos: head,
      facts: [],
      state: { locked: true },
    });
    expect(await opened.store.head()).toBe(head);
  });

  it('is decided again when another was faster, and none is lost', async () => {
    const handled = await Promise.all(
      Array.from({ length: 12 }, (_, n) => handler.handle(order('busy', open(`p${n}`)))),
    );
    expect(handled.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    expect(await opens('busy')).toBe(12);
  });

  it('with an etag is refused when the stream has gone on', async () => {
    const { version } = await handler.handle(order('etag', open('ana')));
    await handler.handle(order('etag', open('ben'), testCall(), String(version)));
    const stale = handler.handle(order('etag', open('eve'), testCall(), String(version)));
    await expect(stale).rejects.toMatchObject({ code: 'ETAG_STALE', kind: 'stale' });
    expect(await opened.store.read('etag')).toHaveLength(2);
  });

  it('is refused whole when a view refuses its fact', async () => {
    await expect(handler.handle(order('named', open('taken')))).rejects.toMatchObject({ code: 'NAME_TAKEN' });
    expect(await opened.store.read('named')).toEqual([]);
  });

  it('takes part in a transaction of others, with several commands to one stream, or not at all', async () => {
    const both = (fail: boolean) =>
      opened.database.transaction(async (tx) => {
        await handler.handle(order('joined', open('ana')), tx);
        const second = await handler.handle(order('joined', open('ben')), tx);
        if (fail) throw new Error('changed my mind');
        return second;
      });
    await expect(both(true)).rejects.toThrow('changed my mind');
    expect(await opened.store.read('joined')).toEqual([]);
    expect(await both(false)).toMatchObject({ version: 2, state: { opened: 2 } });
    expect(await opens('joined')).toBe(2);
  });

  it('does not run on a history it cannot read', async () => {
    const facts = [{ type: 'DoorPainted', data: Buffer.from('{}') }];
    await opened.store.append([
      { streamId: 'odd', kind: 'door', partKey: 'odd', expected: 'none', facts, call: testCall() },
    ]);
    await expect(handler.handle(order('odd', open('ana')))).rejects.toThrow(
      'no codec for fact `DoorPainted`',
    );
  });
});

describe('a command that begins a stream', () => {
  const begin = (streamId: string, command: DoorCommand, call: Call = testCall()) =>
    handler.handle({ ...order(streamId, command, call), begins: true });

  it('is answered and kept like any other', async () => {
    const begun = await begin('begun-new', open('ana'));
    expect(begun).toEqual({
      streamId: 'begun-new',
      version: 1,
      pos: await opened.store.head(),
      facts: [{ type: 'DoorOpened', data: { by: 'ana' } }],
      state: { opened: 1, locked: false },
      replayed: false,
    });
    expect(await opened.store.read('begun-new')).toMatchObject([
      { type: 'DoorOpened', pos: begun.pos, version: 1 },
    ]);
    expect(await opens('begun-new')).toBe(1);
  });

  it('is decided on what has happened where the stream had begun after all', async () => {
    await begin('begun-old', lock);
    await expect(begin('begun-old', open('ana'))).rejects.toMatchObject({ code: 'DOOR_LOCKED' });
    expect(await opened.store.read('begun-old')).toHaveLength(1);
    await begin('begun-twice', open('ana'));
    expect(await begin('begun-twice', open('ben'))).toMatchObject({ version: 2, state: { opened: 2 } });
    expect(await opens('begun-twice')).toBe(2);
  });

  it('is refused whole when a view refuses its fact', async () => {
    const head = await opened.store.head();
    await expect(begin('begun-refused', open('taken'))).rejects.toMatchObject({ code: 'NAME_TAKEN' });
    expect(await opened.store.read('begun-refused')).toEqual([]);
    expect(await opened.store.head()).toBe(head);
  });

  it('has one effect and one answer when it is repeated, at once or later', async () => {
    const retry = (n: number) => begin(`retry-${n}`, open('ana'), testCall({ requestId: 'r0' }));
    const handled = await Promise.all([1, 2, 3, 4].map(retry));
    const again = await retry(5);
    const [first] = handled.filter(({ replayed }) => !replayed);
    expect([...handled, again].filter(({ replayed }) => replayed)).toEqual(
      Array.from({ length: 4 }, () => ({ ...first, replayed: true })),
    );
    const other = testCall({ requestId: 'r0', requestHash: testRequestHash('another request') });
    await expect(begin('begun-other', open('ana'), other)).rejects.toMatchObject({
      code: 'REQUEST_ID_REUSED',
    });
  });

  it('does not know its position before the commit', async () => {
    const { store, database } = opened;
    const facts = [{ type: 'DoorOpened', data: Buffer.from('{"by":"ana"}') }];
    const append = { streamId: 'where', kind: 'door', partKey: 'where', facts, call: testCall() };
    const asking = database.transaction(async (tx) => store.begin(append, tx).map(({ pos }) => pos));
    await expect(asking).rejects.toThrow('known after its commit');
    const begun = await database.transaction(async (tx) => store.begin(append, tx));
    expect(begun.map(({ pos }) => pos)).toEqual([await store.head()]);
  });
});

describe('a request id', () => {
  it('makes a retry give the first answer and no second effect', async () => {
    const call = () => testCall({ requestId: 'r1' });
    const first = await handler.handle(order('once', open('ana'), call()));
    await handler.handle(order('once', open('ben')));
    // A retry of a creation names a new stream, for ids are new in each call.
    const again = await handler.handle(order('another', open('ana'), call()));
    expect(again).toEqual({ ...first, replayed: true });
    expect(await opened.store.read('another')).toEqual([]);
    expect(await opens('once')).toBe(2);
  });

  it('has one effect when it comes many times at once', async () => {
    const handled = await Promise.all(
      Array.from({ length: 8 }, () =>
        handler.handle(order('at-once', open('ana'), testCall({ requestId: 'r2' }))),
      ),
    );
    expect(handled.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(handled.map(({ pos, version }) => `${pos} ${version}`)).size).toBe(1);
    expect(await opened.store.read('at-once')).toHaveLength(1);
  });

  it('is refused with another request', async () => {
    await handler.handle(order('body', open('ana'), testCall({ requestId: 'r3' })));
    const other = testCall({ requestId: 'r3', requestHash: testRequestHash('another request') });
    const reused = handler.handle(order('body', open('ben'), other));
    await expect(reused).rejects.toMatchObject({ code: 'REQUEST_ID_REUSED', kind: 'conflict' });
    expect(await opened.store.read('body')).toHaveLength(1);
  });

  it('belongs to its caller', async () => {
    const call = testCall({ requestId: 'r4' });
    const other = { ...call, caller: { ...call.caller, id: 'psn_01K41M7JG00000000000000BEN' } };
    await handler.handle(order('mine', open('ana'), call));
    expect((await handler.handle(order('mine', open('ben'), { ...testCall(), ...other }))).replayed).toBe(
      false,
    );
  });

  it('is free again after a refusal', async () => {
    await handler.handle(order('shut', lock));
    await expect(handler.handle(order('shut', open('ana'), testCall({ requestId: 'r5' })))).rejects.toThrow(
      'locked',
    );
    expect((await handler.handle(order('free', open('ana'), testCall({ requestId: 'r5' })))).replayed).toBe(
      false,
    );
  });

  it('is also kept for a command that changed nothing', async () => {
    await handler.handle(order('nothing', lock));
    const call = () => testCall({ requestId: 'r6' });
    expect(await handler.handle(order('nothing', lock, call()))).toMatchObject({
      facts: [],
      replayed: false,
    });
    expect(await handler.handle(order('nothing', lock, call()))).toMatchObject({
      facts: [],
      version: 1,
      replayed: true,
    });
  });

  it('cannot serve two commands of one call, for the second would look like a retry', async () => {
    const call = testCall({ requestId: 'r7' });
    const together = opened.database.transaction(async (tx) => {
      await handler.handle(order('two', open('ana'), call), tx);
      return handler.handle(order('three', open('ana'), call), tx);
    });
    await expect(together).rejects.toThrow('for two commands');
    await handler.handle(order('two', open('ana'), call));
    await expect(handler.handle(order('three', open('ana'), call))).rejects.toThrow('for two commands');
    expect(await opened.store.read('three')).toEqual([]);
  });

  it('is forgotten after 24 hours', async () => {
    const at = new Date('2026-08-01T00:00:00Z');
    const call = () => testCall({ requestId: 'r8', at });
    await handler.handle(order('old', open('ana'), call()));
    expect(await log.forget(new Date('2026-08-01T23:59:59Z'))).toBe(0);
    expect(await log.forget(new Date('2026-08-02T00:00:01Z'))).toBe(1);
    expect((await handler.handle(order('old', open('ana'), call()))).replayed).toBe(false);
  });
});
