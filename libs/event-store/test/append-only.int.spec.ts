import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database, migrate, PostgresEventStore } from '@writ/event-store';
import { testCall } from '@writ/testing/call.js';
import pg from 'pg';
import {
  openServiceDatabase,
  password,
  runtimeRole,
  type ServiceDatabase,
  service,
} from './service-database.js';

const change = [
  `update door_keeper.event set data = ''`,
  'delete from door_keeper.event',
  'truncate door_keeper.event',
  `update door_keeper.event set data = '' where false`,
];

let opened: ServiceDatabase;
beforeAll(async () => {
  opened = await openServiceDatabase();
  const facts = [{ type: 'DoorOpened', data: Buffer.from('x') }];
  await opened.store.append([
    { streamId: 'door', kind: 'door', partKey: 'door', expected: 'none', facts, call: testCall() },
  ]);
});
afterAll(() => opened.close());

const refusedTo = async (
  ask: (sql: string) => Promise<unknown>,
  statements: readonly string[],
  why: RegExp,
) => {
  for (const sql of statements) await expect(ask(sql)).rejects.toThrow(why);
};

describe('facts', () => {
  it('cannot be changed by the service', async () => {
    await refusedTo((sql) => opened.database.query(sql), change, /permission denied/);
  });

  it('can be added by the service through the append function only', async () => {
    const statements = [
      `insert into door_keeper.event select 2, gen_random_uuid(), 's', 1, 'T', 'k', now(), '{}', ''`,
      'update door_keeper.head set pos = 7',
      `insert into door_keeper.stream values ('s', 'k', 1)`,
      'delete from door_keeper.stream',
      'alter table door_keeper.event disable trigger append_only',
      'create table door_keeper.mine (n int)',
    ];
    await refusedTo((sql) => opened.database.query(sql), statements, /permission denied|must be owner/);
  });

  it('cannot be changed by the role that owns them, not even as a replica', async () => {
    await refusedTo((sql) => opened.owner.query(sql), change, /facts are never changed/);
    const replica = await opened.owner.connect();
    await replica.query('set session_replication_role = replica');
    await refusedTo((sql) => replica.query(sql), change, /facts are never changed/);
    replica.release(true);
  });

  it('are still there after all that', async () => {
    expect(await opened.store.read('door')).toHaveLength(1);
    expect(await opened.store.head()).toBe(1);
  });

  it('could be changed without the trigger, so the trigger is what refuses', async () => {
    const owner = await opened.owner.connect();
    await owner.query('begin; alter table door_keeper.event disable trigger append_only');
    expect((await owner.query('delete from door_keeper.event')).rowCount).toBe(1);
    await owner.query('rollback');
    owner.release();
  });

  it('of one service are closed to another', async () => {
    await migrate({ ownerUrl: opened.ownerUrl, service: 'other', runtimeRole: 'other', password });
    await refusedTo((sql) => opened.database.query(sql), ['select * from other.event'], /permission denied/);
  });
});

describe('a migration', () => {
  it('gives the service its timeouts', async () => {
    const settings = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
    const values = await Promise.all(
      settings.map((name) => opened.database.query(`select current_setting('${name}') as value`)),
    );
    expect(values.map(({ rows }) => rows[0])).toEqual([{ value: '2s' }, { value: '5s' }, { value: '5s' }]);
  });

  it('may run again, by several at once, and changes the password', async () => {
    const settings = { ownerUrl: opened.ownerUrl, service, runtimeRole, password: 'another-password' };
    await Promise.all([migrate(settings), migrate(settings), migrate({ ...settings, service: 'brand-new' })]);
    const url = opened.runtimeUrl.replace(password, settings.password);
    const database = new Database({ url, applicationName: 'a test' });
    expect(await new PostgresEventStore({ database, service }).head()).toBe(1);
    await database.close();
    const old = new pg.Client({ connectionString: opened.runtimeUrl });
    await expect(old.connect()).rejects.toThrow('password authentication failed');
  });

  it('needs no superuser', async () => {
    const ownerUrl = await opened.postgres.database('second');
    const admin = new pg.Client({ connectionString: ownerUrl });
    await admin.connect();
    await admin.query(
      `create role plain_owner login createrole password 'plain'; grant create on database second to plain_owner`,
    );
    const plainUrl = ownerUrl.replace(/\/\/.*@/, '//plain_owner:plain@');
    await migrate({ ownerUrl: plainUrl, service: 'plain', runtimeRole: 'plain', password });
    const owner = new pg.Client({ connectionString: plainUrl });
    await owner.connect();
    await expect(owner.query('delete from plain.event')).rejects.toThrow('facts are never changed');
    await owner.end();
    await admin.end();
  });

  it('adds the tables of others, each step once', async () => {
    const step = (number: number, sql: string) => ({ area: 'bus', number, sql: () => sql });
    const settings = { ownerUrl: opened.ownerUrl, service, runtimeRole, password };
    const first = [step(1, 'create table door_keeper.one (n int)')];
    const second = [...first, step(2, 'alter table door_keeper.one add m int')];
    await migrate({ ...settings, migrations: first });
    await migrate({ ...settings, migrations: second });
    await migrate({ ...settings, migrations: second });
    const { rows } = await opened.owner.query('select area, number from door_keeper.migration order by 1, 2');
    expect(rows).toEqual([
      { area: 'bus', number: 1 },
      { area: 'bus', number: 2 },
      { area: 'event-store', number: 1 },
    ]);
    await expect(migrate({ ...settings, migrations: first })).rejects.toMatchObject({
      cause: expect.objectContaining({ message: expect.stringContaining('start a newer one') }),
    });
  });

  it('that fails changes nothing', async () => {
    const broken = {
      area: 'broken',
      number: 1,
      sql: () => 'create table door_keeper.half (n int); select 1/0',
    };
    const settings = { ownerUrl: opened.ownerUrl, service, runtimeRole, password, migrations: [broken] };
    await expect(migrate(settings)).rejects.toThrow('migration of `door-keeper` failed');
    const { rows } = await opened.owner.query(`select to_regclass('door_keeper.half') as half`);
    expect(rows).toEqual([{ half: null }]);
  });

  it('refuses names that are not a service, and passwords that anybody guesses', async () => {
    const settings = { ownerUrl: opened.ownerUrl, service, runtimeRole, password };
    await expect(migrate({ ...settings, service: 'door; drop' })).rejects.toThrow('is not a service');
    await expect(migrate({ ...settings, password: 'short' })).rejects.toMatchObject({
      cause: expect.objectContaining({ message: expect.stringContaining('at least 12') }),
    });
  });
});
