import { endProcess, type RunningService, reasonOf, startFromEnvironment } from '@writ/service';
import { definitions } from './suite/definitions.js';
import type { EngineOrder } from './suite/environment.js';
import { suiteServices } from './suite/suite.js';

/**
 * All six services in one process: each with its own port, certificate, database role and schema, and calls between them
 * over mutual TLS, as they would be apart. Started by `writd`, which says where things are once they are there; ends when
 * `writd` does.
 */
async function startAll(order: EngineOrder): Promise<RunningService[]> {
  const running: RunningService[] = [];
  // One after the other: each opens some twenty connections, and the handshakes of all at once outlast their time limit.
  for (const name of suiteServices)
    running.push(await startFromEnvironment(definitions[name], order.environments[name] ?? {}));
  return running;
}

async function stopAll(running: readonly RunningService[]): Promise<void> {
  // All at once: five seconds are for the whole process, and none waits for another's answer while it stops.
  const results = await Promise.allSettled(running.map((service) => service.stop()));
  await endProcess(results.every(({ status }) => status === 'fulfilled') ? 0 : 1);
}

try {
  const order = await new Promise<EngineOrder>((resolve, reject) => {
    process.once('message', resolve);
    process.once('disconnect', () => reject(new Error('nobody said what to do')));
  });
  const running = await startAll(order);
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, () => void stopAll(running));
  // Gone while we were starting: that is not told a second time.
  if (process.connected === false) void stopAll(running);
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  await endProcess(1);
}
