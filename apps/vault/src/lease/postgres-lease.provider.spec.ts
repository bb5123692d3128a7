import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll } from '@jest/globals';
import { Secret } from '@writ/service';
import { startPostgres, type TestPostgres } from '@writ/testing/postgres.js';
import pg from 'pg';
import { type CredentialsUnderTest, databaseCredentialsContract } from './lease.provider.contract.js';
import { PostgresCredentials } from './postgres-lease.provider.js';

const adminPassword = 'hunter2hunter2hunter2';
let postgres: TestPostgres;
let wire: Wire;
const made: PostgresCredentials[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  wire = await recordingWire(postgres.port);
  const erp = await postgres.database('erp');
  await run(
    erp,
    `create role invoice_reader nologin;
     create role invoice_admin nologin createrole;
     create role erp_admin login createrole password '${adminPassword}';
     grant pg_signal_backend to erp_admin;
     grant invoice_reader to erp_admin with admin option;
     grant invoice_admin to erp_admin with admin option;
     create role erp_root login superuser password '${adminPassword}';
     create table invoice (id int primary key, amount numeric);
     insert into invoice values (1, 1200);
     grant select on invoice to invoice_reader;
     create schema workbench;
     grant usage, create on schema workbench to invoice_reader`,
  );
});
afterAll(async () => {
  await Promise.all(made.map((credentials) => credentials.close()));
  wire.server.close();
  await postgres.stop();
});

databaseCredentialsContract('PostgreSQL, with an administrator that may make roles', () =>
  underTest('erp_admin', 4_096),
);
databaseCredentialsContract('PostgreSQL, with a superuser and one iteration', () => underTest('erp_root', 1));

async function underTest(admin: string, scramIterations: number): Promise<CredentialsUnderTest> {
  const credentials = new PostgresCredentials({ randomBytes, scramIterations, connectionsMax: 5 });
  made.push(credentials);
  const superuser = postgres.superuserUrl.replace(/\/postgres$/, '/erp');
  await run(superuser, 'drop table if exists workbench.note');
  return {
    credentials,
    adminUrl: new Secret(`postgres://${admin}:${adminPassword}@127.0.0.1:${wire.port}/erp`),
    wrongUrl: new Secret(`postgres://${admin}:${adminPassword}9@127.0.0.1:${wire.port}/erp`),
    deadUrl: new Secret(`postgres://${admin}:${adminPassword}@127.0.0.1:1/erp`),
    readerRole: 'invoice_reader',
    powerfulRole: 'invoice_admin',
    async logIn(user, password) {
      const client = new pg.Client({ host: '127.0.0.1', port: wire.port, database: 'erp', user, password });
      client.on('error', () => undefined);
      await client.connect();
      return {
        read: () => client.query('select amount from invoice'),
        write: () => client.query('update invoice set amount = 0'),
        make: () => client.query('create table workbench.note (body text)'),
        close: () => client.end().catch(() => undefined),
      };
    },
    whatTheDatabaseSaw: async () => Buffer.concat(wire.heard).toString('latin1'),
    async ownerOfMade() {
      const owners = await run(superuser, `select tableowner from pg_tables where tablename = 'note'`);
      return owners.rows[0]?.tableowner;
    },
  };
}

interface Wire {
  readonly server: Server;
  readonly port: number;
  /** Every byte that was sent towards the database, in clear: there is no TLS in between. */
  readonly heard: Buffer[];
}

/** A connection to the database on which every byte is written down. */
async function recordingWire(target: number): Promise<Wire> {
  const heard: Buffer[] = [];
  const server = createServer((near: Socket) => {
    const far = connect(target, '127.0.0.1');
    near.on('data', (bytes) => heard.push(Buffer.from(bytes)));
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port was given');
  return { server, port: address.port, heard };
}

async function run(connectionString: string, sql: string) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}
