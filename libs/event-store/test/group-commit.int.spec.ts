import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Append, FACT_BYTES_MAX, GroupCommit, type Prepared, type Statements } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { openServiceDatabase, type ServiceDatabase } from './service-database.js';

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase();
  await opened.database.query(
    'create table door_keeper_view.budget (id text primary key, left_over int not null)',
  );
  await opened.database.query(`insert into door_keeper_view.budget values ('b', 70)`);
});
afterAll(() => opened.close());

const append = (streamId: string, type: string, count = 1): Append => ({
  streamId,
  kind: 'visit',
  partKey: streamId,
  expected: 'any',
  facts: Array.from({ length: count }, () => ({ type, data: Buffer.from(streamId) })),
  call: testCall(),
});

function committing(settings: { itemsMax?: number; waitingMax?: number; fails?: () => boolean } = {}) {
  const groups: number[] = [];
  const group = new GroupCommit<string>({
    database: opened.database,
    store: opened.store,
    itemsMax: settings.itemsMax,
    waitingMax: settings.waitingMax,
    async prepare(_tx, items) {
      groups.push(items.length);
      if (settings.fails?.()) throw new Error('the group failed');
      return items.map((item) => ({ appends: [append(item, 'VisitorCame')], outcome: undefined }));
    },
  });
  return { group, groups };
}

describe('grouped appends', () => {
  it('answer each with its own facts, which are durable by then', async () => {
    const { group, groups } = committing();
    const committed = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const { facts } = await group.submit(`v${n}`);
        expect(await opened.store.head()).toBeGreaterThanOrEqual(facts[0]?.pos ?? Number.POSITIVE_INFINITY);
        return facts;
      }),
    );
    expect(committed.map((facts) => facts.map(({ streamId }) => streamId))).toEqual(
      Array.from({ length: 300 }, (_, n) => [`v${n}`]),
    );
    expect(groups).toEqual([300]);
    expect(await opened.store.read('v299')).toEqual(committed[299]);
  });

  it('of which one is too large to be published fail that one alone', async () => {
    const large = 'x'.repeat(FACT_BYTES_MAX + 1);
    const group = new GroupCommit<string>({
      database: opened.database,
      store: opened.store,
      async prepare(tx, items) {
        await tx.query(`update door_keeper_view.budget set left_over = left_over - $1 where id = 'size'`, [
          items.length,
        ]);
        return items.map((item) => ({
          appends: [{ ...append(item, 'VisitorCame'), facts: [factOf(item)] }],
          outcome: undefined,
        }));
      },
    });
    const factOf = (item: string) => ({
      type: 'VisitorCame',
      data: Buffer.from(item === 'large-2' ? large : item),
    });
    await opened.database.query(`insert into door_keeper_view.budget values ('size', 10)`);
    const answers = await Promise.allSettled(
      ['large-0', 'large-1', 'large-2', 'large-3', 'large-4'].map((item) => group.submit(item)),
    );
    expect(answers.map((answer) => (answer.status === 'rejected' ? answer.reason : answer.status))).toEqual([
      'fulfilled',
      'fulfilled',
      expect.objectContaining({ code: 'FACT_TOO_LARGE' }),
      'fulfilled',
      'fulfilled',
    ]);
    expect(await opened.store.read('large-2')).toEqual([]);
    expect(await opened.store.read('large-4')).toHaveLength(1);
    const { rows } = await opened.database.query(
      `delete from door_keeper_view.budget where id = 'size' returning left_over`,
    );
    expect(rows).toEqual([{ left_over: 6 }]);
  });

  it('form the next group from what came meanwhile, and none is larger than allowed', async () => {
    const { group, groups } = committing({ itemsMax: 10 });
    const first = group.submit('first');
    await Promise.resolve();
    await Promise.resolve();
    await Promise.all([first, ...Array.from({ length: 25 }, (_, n) => group.submit(`next${n}`))]);
    expect(groups).toEqual([1, 10, 10, 5]);
  });

  it('never overdraw what is reserved in their transaction', async () => {
    const group = new GroupCommit<number, 'allowed' | 'denied'>({
      database: opened.database,
      store: opened.store,
      itemsMax: 16,
      prepare: (tx, amounts) => reserve(tx, amounts),
    });
    const committed = await Promise.all(Array.from({ length: 50 }, () => group.submit(2)));
    const allowed = committed.filter(({ outcome }) => outcome === 'allowed');
    expect(allowed).toHaveLength(35);
    expect(allowed.every(({ facts }) => facts[0]?.type === 'VisitorPaid')).toBe(true);
    const { rows } = await opened.database.query('select left_over from door_keeper_view.budget');
    expect(rows).toEqual([{ left_over: 0 }]);
  });

  it('refuse one item without the others, and may store nothing or much for one', async () => {
    const group = new GroupCommit<number, string>({
      database: opened.database,
      store: opened.store,
      prepare: async (_tx, items) =>
        items.map((count) =>
          count < 0
            ? { refused: new Error('a negative visitor') }
            : {
                appends: count === 0 ? [] : [append(`many${count}`, 'VisitorCame', count)],
                outcome: `${count}`,
              },
        ),
    });
    const settled = await Promise.allSettled([3, -1, 0, 2].map((count) => group.submit(count)));
    expect(settled).toMatchObject([
      { value: { outcome: '3', facts: [{ version: 1 }, { version: 2 }, { version: 3 }] } },
      { reason: new Error('a negative visitor') },
      { value: { outcome: '0', facts: [] } },
      { value: { outcome: '2', facts: [{ streamId: 'many2' }, { version: 2 }] } },
    ]);
  });

  it('reject everyone of a group that failed, and go on with the next', async () => {
    let fails = true;
    const { group } = committing({ fails: () => fails });
    const head = await opened.store.head();
    const failed = await Promise.allSettled(['x', 'y'].map((item) => group.submit(item)));
    expect(failed).toMatchObject([
      { reason: new Error('the group failed') },
      { reason: new Error('the group failed') },
    ]);
    expect(await opened.store.head()).toBe(head);
    fails = false;
    expect((await group.submit('z')).facts).toMatchObject([{ pos: head + 1 }]);
  });

  it('have no answer before the commit, which may still fail', async () => {
    await opened.database.query(
      'create table door_keeper_view.late (n int unique deferrable initially deferred)',
    );
    const group = new GroupCommit<string>({
      database: opened.database,
      store: opened.store,
      prepare: async (_tx, items) =>
        items.map((item) => ({ appends: [append(item, 'VisitorCame')], outcome: undefined })),
      beside: (outcomes) => {
        expect(outcomes).toHaveLength(1);
        const sql = () => 'insert into door_keeper_view.late select 1 from fact, generate_series(1, 2)';
        return { name: 'late', sql, params: [] };
      },
    });
    await expect(group.submit('too-early')).rejects.toThrow('duplicate key');
    expect(await opened.store.read('too-early')).toEqual([]);
  });

  it('are written with the rows beside them, whether something else was asked or not', async () => {
    await opened.database.query('create table door_keeper_view.beside (pos bigint, item text)');
    const group = new GroupCommit<string, string>({
      database: opened.database,
      store: opened.store,
      async prepare(tx, items) {
        if (items.includes('asks')) await tx.query('select 1');
        return items.map((item) => ({
          appends: item === 'nothing' ? [] : [append(item, 'VisitorCame')],
          outcome: item,
        }));
      },
      beside: (outcomes) => ({
        name: 'visit',
        sql: (first) =>
          `insert into door_keeper_view.beside select pos, item
           from unnest($${first}::text[]) with ordinality as i(item, nth) join fact using (nth)`,
        params: [outcomes],
      }),
    });
    const together = await Promise.all(['p', 'nothing', 'q'].map((item) => group.submit(item)));
    const asked = await group.submit('asks');
    const { rows } = await opened.database.query(
      'select pos::int as pos, item from door_keeper_view.beside order by pos',
    );
    expect(rows).toEqual([
      { pos: together[0]?.facts[0]?.pos, item: 'p' },
      { pos: together[2]?.facts[0]?.pos, item: 'q' },
      { pos: asked.facts[0]?.pos, item: 'asks' },
    ]);
  });

  it('take no more than may wait, and nothing once they close', async () => {
    const { group } = committing({ waitingMax: 2 });
    const waiting = [group.submit('1'), group.submit('2')];
    await expect(group.submit('3')).rejects.toMatchObject({ code: 'TOO_MANY_WAITING', kind: 'exhausted' });
    const closed = group.close();
    await expect(group.submit('4')).rejects.toMatchObject({ code: 'CLOSING' });
    await closed;
    expect((await Promise.all(waiting)).map(({ facts }) => facts.length)).toEqual([1, 1]);
  });
});

async function reserve(
  tx: Statements,
  amounts: readonly number[],
): Promise<Prepared<'allowed' | 'denied'>[]> {
  const prepared: Prepared<'allowed' | 'denied'>[] = [];
  for (const amount of amounts) {
    const { rowCount } = await tx.query(
      `update door_keeper_view.budget set left_over = left_over - $1 where id = 'b' and left_over >= $1`,
      [amount],
    );
    const outcome = rowCount === 1 ? 'allowed' : 'denied';
    prepared.push({
      appends: [append('payer', outcome === 'allowed' ? 'VisitorPaid' : 'VisitorTurnedAway')],
      outcome,
    });
  }
  return prepared;
}
