import { Database, migrate } from '@writ/event-store';
import { startPostgres } from '@writ/testing/postgres.js';
import { describeBus } from '../src/event-bus.contract.js';
import { PostgresBus } from '../src/postgres-bus.js';
import { migrateBus } from '../src/postgres-schema.js';

describeBus('PostgreSQL', async () => {
  const postgres = await startPostgres();
  const ownerUrl = await postgres.database('bus');
  await migrate({ ownerUrl, service: 'registry', runtimeRole: 'registry', password: 'only-for-tests' });
  await migrateBus({ ownerUrl, runtimeRole: 'registry' });
  await migrateBus({ ownerUrl, runtimeRole: 'registry' });
  const url = Object.assign(new URL(ownerUrl), { username: 'registry', password: 'only-for-tests' }).href;
  const databases: Database[] = [];
  return {
    bus: () => {
      const database = new Database({ url, applicationName: 'bus' });
      databases.push(database);
      return new PostgresBus(database, () => undefined);
    },
    stop: async () => {
      await Promise.all(databases.map((database) => database.close()));
      await postgres.stop();
    },
  };
});
