import { PostgresEventStore } from '@writ/event-store';
import { eventStoreContract } from '@writ/event-store/event-store.contract.js';
import { testCall } from '@writ/testing/call.js';
import { openServiceDatabase, service } from './service-database.js';

eventStoreContract(
  'PostgreSQL',
  async () => {
    const { database, close } = await openServiceDatabase();
    const long: [string, number][] = [];
    const store = new PostgresEventStore({
      database,
      service,
      onLongStream: (...stream) => long.push(stream),
    });
    return { store, long, close };
  },
  testCall,
);
