import { Database, migrate, PostgresEventStore } from '@writ/event-store';
import { startPostgres, type TestPostgres } from '@writ/testing/postgres.js';
import pg from 'pg';

export const service = 'door-keeper';
export const runtimeRole = 'door_keeper';
export const password = 'a-password-of-a-test';

/** A PostgreSQL with one migrated service in it, seen as the service and as the superuser. */
export interface ServiceDatabase {
  readonly postgres: TestPostgres;
  readonly ownerUrl: string;
  readonly runtimeUrl: string;
  readonly database: Database;
  readonly store: PostgresEventStore;
  readonly owner: pg.Pool;
  close(): Promise<void>;
}

export async function openServiceDatabase(settings: { durable?: boolean; connectionsMax?: number } = {}) {
  const postgres = await startPostgres({ durable: settings.durable });
  const ownerUrl = await postgres.database('writ');
  await migrate({ ownerUrl, service, runtimeRole, password });
  const runtimeUrl = `postgres://${runtimeRole}:${password}@127.0.0.1:${postgres.port}/writ`;
  const database = new Database({
    url: runtimeUrl,
    applicationName: 'a test',
    connectionsMax: settings.connectionsMax ?? 20,
  });
  const owner = new pg.Pool({ connectionString: ownerUrl });
  owner.on('error', () => undefined);
  const opened: ServiceDatabase = {
    postgres,
    ownerUrl,
    runtimeUrl,
    database,
    store: new PostgresEventStore({ database, service }),
    owner,
    close: async () => {
      await database.close();
      await owner.end();
      await postgres.stop();
    },
  };
  return opened;
}
