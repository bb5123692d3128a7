import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Append, type Expected, migrate, PostgresEventStore } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { chances, faultsOf, follow } from './follow.js';
import { openServiceDatabase, password, runtimeRole, type ServiceDatabase } from './service-database.js';

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase();
});
afterAll(() => opened.close());

const fact = { type: 'DoorOpened', data: Buffer.from('x') };
const append = (streamId: string, expected: Expected, count = 1): Append => ({
  streamId,
  kind: 'door',
  partKey: streamId,
  expected,
  facts: Array.from({ length: count }, () => fact),
  call: testCall(),
});

let services = 0;
async function emptyStore(): Promise<PostgresEventStore> {
  const service = `positions-${++services}`;
  await migrate({ ownerUrl: opened.ownerUrl, service, runtimeRole, password });
  return new PostgresEventStore({ database: opened.database, service });
}

describe('positions', () => {
  let store: PostgresEventStore;
  beforeEach(async () => {
    store = await emptyStore();
  });

  it('reach a polling reader once each, in order and without gaps, while 16 writers stall', async () => {
    let writing = true;
    const reading = follow(
      (pos, limit) => store.readAfter(pos, limit),
      () => !writing,
    );
    const ids: string[] = [];
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        const chance = chances(writer + 1);
        for (let turn = 0; turn < 20; turn += 1) {
          const stall = () => delay(chance() * 4);
          const stored = await opened.database.transaction(async (tx) => {
            await tx.query('select 1');
            await stall();
            return store.append(
              [append(`w${writer}`, turn, 1), append(`w${writer}-${turn}`, 'none', 2)],
              stall,
              tx,
            );
          });
          ids.push(...stored.map(({ id }) => id));
        }
      }),
    );
    writing = false;
    const seen = await reading;
    expect(ids).toHaveLength(16 * 20 * 3);
    expect(faultsOf(seen, await store.head())).toEqual([]);
    expect(seen.map(({ id }) => id).sort()).toEqual(ids.sort());
  });

  it('have no gaps when three of ten appends are undone', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let turn = 0; turn < 20; turn += 1) {
          const undo = turn % 10 < 3;
          const appending = store.append([append(`u${writer}`, 'any', 1 + (turn % 3))], async () => {
            await delay(turn % 2);
            if (undo) throw new Error('undone');
          });
          if (undo) await expect(appending).rejects.toThrow('undone');
          else await appending;
        }
      }),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill('fulfilled'));
    const head = await store.head();
    const { rows } = await opened.owner.query(
      `select count(*)::int as facts, max(pos)::int as last from positions_${services}.event`,
    );
    expect(rows).toEqual([{ facts: head, last: head }]);
    expect(head).toBeGreaterThan(8 * 14);
  });

  it('are given to one of two writers of the same stream, as often as they try', async () => {
    for (let version = 0; version < 10; version += 1) {
      const outcomes = await Promise.allSettled([
        store.append([append('one', version)]),
        store.append([append('one', version === 0 ? 'none' : version)], () => delay(1)),
      ]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      await expect(store.append([append('one', 'none')])).rejects.toMatchObject({ code: 'STREAM_CONFLICT' });
    }
    expect(await store.head()).toBe(10);
  });

  it('are free again when the connection of a writer is cut', async () => {
    const cut = opened.database.transaction(async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await store.append([append('cut', 'none', 3)], undefined, tx);
      await opened.owner.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await tx.query('select 1');
    });
    await expect(cut).rejects.toThrow();
    expect((await store.append([append('after', 'none')]))[0]?.pos).toBe(1);
    expect(await store.read('cut')).toEqual([]);
  });

  it('do not wait for a transaction that is slow elsewhere', async () => {
    const elsewhere = await opened.owner.connect();
    await elsewhere.query('begin; create table slow (n int); insert into slow values (1)');
    await store.append([append('quick', 'none')]);
    expect(await store.readAfter(0, 10)).toHaveLength(1);
    await elsewhere.query('rollback');
    elsewhere.release();
  });
});

describe('a reader of a sequence, which these tests must catch', () => {
  it('loses the fact that is numbered first and committed last', async () => {
    const { owner } = opened;
    await owner.query('create table twin (pos bigserial primary key, id text)');
    const readAfter = async (pos: number, limit: number) => {
      const { rows } = await owner.query(
        'select pos::int, id from twin where pos > $1 order by pos limit $2',
        [pos, limit],
      );
      return rows;
    };
    const late = await owner.connect();
    await late.query(`begin; insert into twin (id) values ('late')`);
    await owner.query(`insert into twin (id) values ('early')`);
    let polls = 0;
    const seen = await follow(
      async (pos, limit) => {
        const facts = await readAfter(pos, limit);
        polls += 1;
        if (polls === 1) await late.query('commit');
        return facts;
      },
      () => polls > 1,
    );
    late.release();
    expect(seen.map(({ id }) => id)).toEqual(['early']);
    expect(faultsOf(seen, 2)).not.toEqual([]);
  });
});
