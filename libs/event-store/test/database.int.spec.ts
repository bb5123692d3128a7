import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CopyRowWriter, Database, type Tx } from '@writ/event-store';
import { openServiceDatabase, type ServiceDatabase } from './service-database.js';

let opened: ServiceDatabase;
let database: Database;
beforeAll(async () => {
  opened = await openServiceDatabase();
  database = opened.database;
  await database.query('create table door_keeper_view.t (n int primary key)');
});
afterAll(() => opened.close());

const insert = (tx: Pick<Tx, 'query'>, n: number) =>
  tx.query('insert into door_keeper_view.t values ($1)', [n]);
const rows = async () =>
  (await database.query<{ n: number }>('select n from door_keeper_view.t order by n')).rows;

describe('a transaction', () => {
  it('keeps all it did, and tells those who wait for it only then', async () => {
    const told: string[] = [];
    await database.transaction(async (tx) => {
      tx.afterCommit(() => told.push('committed'));
      await insert(tx, 1);
      await insert(tx, 2);
      expect(await rows()).toEqual([]);
      expect(told).toEqual([]);
    });
    await Promise.resolve();
    expect(told).toEqual(['committed']);
    expect(await rows()).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('carries out what is sent without waiting, in order, and tells the answer after the commit', async () => {
    const told: unknown[] = [];
    const sum = 'select sum(n)::int as sum from door_keeper_view.t';
    const sent = database.transaction(async (tx) => {
      tx.send('insert into door_keeper_view.t values ($1)', [10], 'sent.insert');
      tx.send<{ sum: number }>(sum, [], 'sent.sum', ({ rows: [row] }) => told.push(row?.sum));
      tx.send('delete from door_keeper_view.t where n = $1', [10], 'sent.delete');
      expect(told).toEqual([]);
    });
    await sent;
    await Promise.resolve();
    expect(told).toEqual([1 + 2 + 10]);
    expect(await rows()).toHaveLength(2);
  });

  it('fails with the error of what was sent without waiting, whatever follows it', async () => {
    const told: string[] = [];
    const failing = (andThen: (tx: Tx) => Promise<unknown>) =>
      database.transaction(async (tx) => {
        tx.afterCommit(() => told.push('committed'));
        tx.send('insert into door_keeper_view.t values ($1)', [1], 'sent.insert', () => told.push('sent'));
        await andThen(tx);
      });
    for (const andThen of [
      async () => undefined,
      (tx: Tx) => insert(tx, 11),
      (tx: Tx) => insert(tx, 11).catch(() => 0),
    ])
      await expect(failing(andThen)).rejects.toMatchObject({ code: '23505' });
    expect(told).toEqual([]);
    expect(await rows()).toHaveLength(2);
  });

  it('undoes all it did when it fails', async () => {
    const told: string[] = [];
    const failing = database.transaction(async (tx) => {
      tx.afterCommit(() => told.push('committed'));
      await insert(tx, 3);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(told).toEqual([]);
    expect(await rows()).toHaveLength(2);
  });

  it('does not pretend to have committed when one of its statements had failed', async () => {
    const swallowing = database.transaction(async (tx) => {
      await insert(tx, 4);
      await insert(tx, 1).catch(() => undefined);
    });
    await expect(swallowing).rejects.toThrow('was rolled back');
    expect(await rows()).toHaveLength(2);
  });

  it('takes no statement after its end, which would run outside of it', async () => {
    const kept = await database.transaction(async (tx) => tx);
    await expect(insert(kept, 5)).rejects.toThrow('is over');
  });

  it('fails, and the process lives on, when its connection is cut between two statements', async () => {
    const cutting = database.transaction(async (tx) => {
      await insert(tx, 6);
      const { rows: pids } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await opened.owner.query('select pg_terminate_backend($1)', [pids[0]?.pid]);
      await opened.owner.query('select pg_sleep(0.1)');
      await insert(tx, 7);
    });
    await expect(cutting).rejects.toThrow();
    expect(await rows()).toHaveLength(2);
  });

  it('that waits for a lock gives up after two seconds', async () => {
    await database.transaction(async (tx) => {
      await insert(tx, 8);
      const begun = performance.now();
      await expect(database.transaction((other) => insert(other, 8))).rejects.toThrow('lock timeout');
      expect(performance.now() - begun).toBeGreaterThan(1_500);
    });
  });
});

describe('rows that are copied', () => {
  const writer = new CopyRowWriter();
  const numbered = (...numbers: readonly number[]) =>
    numbers.map((n) => writer.begin(2).int8(n).text(`row ${n}`).row());
  const copied = async () =>
    (await database.query<{ n: string }>('select n from door_keeper_view.copied order by n')).rows.map(
      ({ n }) => Number(n),
    );
  beforeAll(async () => {
    await database.query('create table door_keeper_view.copied (n bigint primary key, t text not null)');
  });

  it('hold what they were given, to the bit', async () => {
    await database.query(
      `create table door_keeper_view.every (n bigint, t text, b bytea, at timestamptz, list text[])`,
    );
    const given = [
      [0, '', [], 0, []],
      [-1, 'ä "quoted" \\ 漢字 😀', [0, 255, 92], -1, ['']],
      [Number.MAX_SAFE_INTEGER, 'x'.repeat(40_000), [1], 946_684_800_001, ['a b', '{"}', 'NULL']],
      [
        Number.MIN_SAFE_INTEGER,
        'y',
        [2],
        Date.UTC(275_000, 0),
        Array.from({ length: 500 }, (_, at) => `${at}`),
      ],
    ] as const;
    const encoded = given.map(([n, t, b, at, list]) =>
      writer.begin(5).int8(n).text(t).bytea(Uint8Array.from(b)).timestamptz(at).textArray(list).row(),
    );
    await database.transaction(async (tx) => {
      expect(await tx.copy('door_keeper_view.every (n, t, b, at, list)', encoded)).toBe(given.length);
    });
    const { rows: found } = await database.query<{
      n: string;
      t: string;
      b: Buffer;
      ms: string;
      list: string[];
    }>(`select n, t, b, extract(epoch from at) * 1000 as ms, list from door_keeper_view.every`);
    expect(found.map(({ n, t, b, ms, list }) => [Number(n), t, [...b], Number(ms), list])).toEqual(
      given.map(([n, t, b, at, list]) => [n, t, [...b], at, [...list]]),
    );
  });

  it('travel between other statements, all sent at once', async () => {
    await database.transaction(async (tx) => {
      const answers = await Promise.all([
        tx.query(`insert into door_keeper_view.copied values (1, 'row 1')`),
        tx.copy('door_keeper_view.copied', numbered(2, 3)),
        tx.query<{ n: string }>('select count(*) as n from door_keeper_view.copied'),
        tx.copy('door_keeper_view.copied', []),
      ]);
      expect(answers[1]).toBe(2);
      expect(answers[2].rows).toEqual([{ n: '3' }]);
      expect(answers[3]).toBe(0);
    });
    expect(await copied()).toEqual([1, 2, 3]);
  });

  it('are undone as a whole when one of them is refused, and the connection serves the next', async () => {
    const single = new Database({ url: opened.runtimeUrl, applicationName: 'copies', connectionsMax: 1 });
    const refused = single.transaction((tx) => tx.copy('door_keeper_view.copied', numbered(4, 3)));
    await expect(refused).rejects.toThrow('duplicate key');
    const unknown = single.transaction((tx) => tx.copy('door_keeper_view.nowhere', numbered(5)));
    await expect(unknown).rejects.toThrow('does not exist');
    await single.transaction((tx) => tx.copy('door_keeper_view.copied', numbered(6)));
    expect(await copied()).toEqual([1, 2, 3, 6]);
    await single.close();
  });

  it('fail when the connection is cut, and the process lives on', async () => {
    const cutting = database.transaction(async (tx) => {
      const { rows: pids } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await opened.owner.query('select pg_terminate_backend($1)', [pids[0]?.pid]);
      await tx.copy('door_keeper_view.copied', numbered(7));
    });
    await expect(cutting).rejects.toThrow();
    const kept = await database.transaction(async (tx) => tx);
    await expect(kept.copy('door_keeper_view.copied', numbered(8))).rejects.toThrow('is over');
    expect(await copied()).toEqual([1, 2, 3, 6]);
  });
});

describe('a pool', () => {
  it('reports an idle connection that broke, and opens another', async () => {
    const lost: Error[] = [];
    const own = new Database({
      url: opened.runtimeUrl,
      applicationName: 'to be cut',
      onConnectionLost: (cause) => lost.push(cause),
    });
    await own.query('select 1');
    await opened.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be cut'`,
    );
    await opened.owner.query('select pg_sleep(0.1)');
    expect((await own.query('select 1')).rowCount).toBe(1);
    expect(lost).toHaveLength(1);
    await own.close();
  });
});
