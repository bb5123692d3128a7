import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Append, FACT_BYTES_MAX, GroupCommit } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import { openServiceDatabase, type ServiceDatabase } from './service-database.js';

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase();
});
afterAll(() => opened.close());

const append = (streamId: string, bytes = 1): Append => ({
  streamId,
  kind: 'visit',
  partKey: streamId,
  expected: 'any',
  facts: [{ type: 'VisitorCame', data: new Uint8Array(bytes) }],
  call: testCall(),
});

describe('the items of groups', () => {
  it('are stored as they came, while one group follows another unanswered or asks something', async () => {
    let sentAhead = 0;
    let unanswered = 0;
    const group = new GroupCommit<number, string>({
      database: opened.database,
      store: opened.store,
      async prepare(tx, items) {
        unanswered += 1;
        if (unanswered > 1) sentAhead += 1;
        if (items.some((n) => n % 97 === 0)) await tx.query('select pg_sleep(0.005)');
        return items.map((n) => ({
          appends: [append(`n${n}`, sizeOf(n))],
          outcome: '',
        }));
      },
    });
    const sizeOf = (n: number) => (n % 211 === 210 ? FACT_BYTES_MAX + 1 : 1);
    const settled: Promise<unknown>[] = [];
    const placed: [n: number, pos: number][] = [];
    for (let n = 0; n < 1_000; n += 1) {
      const answered = group.submit(n).then(
        ({ facts }) => placed.push([n, facts[0]?.pos ?? 0]),
        () => placed.push([n, Number.NaN]),
      );
      settled.push(answered.finally(() => (unanswered = 0)));
      if (n % 20 === 19) await new Promise((resolve) => setTimeout(resolve, n % 3));
    }
    await Promise.all(settled);
    const stored = placed.filter(([, pos]) => !Number.isNaN(pos)).sort(([, a], [, b]) => a - b);
    expect(stored).toHaveLength(1_000 - 4);
    expect(stored.map(([n]) => n)).toEqual(stored.map(([n]) => n).sort((a, b) => a - b));
    expect(sentAhead).toBeGreaterThan(0);
  });

  it('see what came before them when they ask', async () => {
    const heads: number[] = [];
    const group = new GroupCommit<string, string>({
      database: opened.database,
      store: opened.store,
      async prepare(tx, items) {
        if (items.includes('asks')) {
          const { rows } = await tx.query<{ pos: string }>('select pos from door_keeper.head');
          heads.push(Number(rows[0]?.pos));
        }
        return items.map((item) => ({ appends: [append(item)], outcome: item }));
      },
    });
    const first = group.submit('sent first');
    await new Promise((resolve) => setImmediate(resolve));
    const asking = Array.from({ length: 20 }, () => group.submit('asks'));
    const pos = (await first).facts[0]?.pos ?? 0;
    await Promise.all(asking);
    expect(heads[0]).toBeGreaterThanOrEqual(pos);
  });

  it('keep their place before those that came later when one of them is too large', async () => {
    const group = new GroupCommit<number>({
      database: opened.database,
      store: opened.store,
      prepare: async (_tx, items) =>
        items.map((n) => ({
          appends: [append(`placed${n}`, n === 12 ? FACT_BYTES_MAX + 1 : 1)],
          outcome: undefined,
        })),
    });
    const submit = (n: number) =>
      group.submit(n).then(
        ({ facts }) => facts[0]?.pos,
        () => undefined,
      );
    const first = Array.from({ length: 16 }, (_, n) => submit(n));
    await Promise.resolve();
    const later = Array.from({ length: 20 }, (_, n) => submit(16 + n));
    const places = (await Promise.all([...first, ...later])).filter((pos) => pos !== undefined);
    expect(places).toHaveLength(35);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });
});
