import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeTables } from '@writ/event-store';
import { openServiceDatabase, type ServiceDatabase } from './service-database.js';

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase();
});
afterAll(() => opened.close());

describe('tables that are made by many at once', () => {
  it('are made once, and nobody fails', async () => {
    const { database } = opened;
    await Promise.all(Array.from({ length: 10 }, () => database.query('select pg_sleep(0.05)')));
    for (let round = 0; round < 5; round += 1) {
      await database.query('drop table if exists door_keeper_view.made, door_keeper_view.too');
      const sql =
        'create table if not exists door_keeper_view.made (n int); create table if not exists door_keeper_view.too (n int)';
      await Promise.all(
        Array.from({ length: 10 }, () => makeTables({ database, schema: 'door_keeper_view', sql })),
      );
    }
    expect((await database.query('select n from door_keeper_view.too')).rows).toEqual([]);
  });
  it('are none when one of them cannot be made', async () => {
    const sql = 'create table door_keeper_view.half (n int); create table nowhere.half (n int)';
    await expect(makeTables({ database: opened.database, schema: 'door_keeper_view', sql })).rejects.toThrow(
      'nowhere',
    );
    const half = opened.database.query('select n from door_keeper_view.half');
    await expect(half).rejects.toThrow('half');
  });
});
