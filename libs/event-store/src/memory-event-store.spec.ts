import { testCall } from '@writ/testing/call.js';
import { eventStoreContract } from './event-store.contract.js';
import { MemoryEventStore } from './memory-event-store.js';

eventStoreContract(
  'memory',
  async () => {
    const long: [string, number][] = [];
    return { store: new MemoryEventStore((...stream) => long.push(stream)), long, close: async () => {} };
  },
  testCall,
);
