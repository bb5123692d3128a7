import { describeBus } from './event-bus.contract.js';
import { MemoryBus, MemoryLog } from './memory-bus.js';

describeBus('memory', async () => {
  const memory = new MemoryLog();
  return { bus: () => new MemoryBus(memory, () => undefined), stop: async () => undefined };
});
