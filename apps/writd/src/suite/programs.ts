import { fileURLToPath } from 'node:url';
import type { DataFolder } from './data-folder.js';
import { environmentOf } from './environment.js';
import type { Ground } from './ground.js';
import type { Ports } from './ports.js';
import type { Program } from './processes.js';
import { suiteServices } from './suite.js';

/** Each service by itself. */
export function separatePrograms(ground: Ground, ports: Ports, folder: DataFolder): readonly Program[] {
  return suiteServices.map((name) => ({
    name,
    main: fileURLToPath(import.meta.resolve(`@writ/${name}/main.js`)),
    environment: environmentOf(name, ground, ports, folder),
    services: [name],
  }));
}

/** What the engine is told: where things are. No secret: those are in the files it names. */
export interface EngineOrder {
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** All services in one process. */
export function enginePrograms(ground: Ground, ports: Ports, folder: DataFolder): readonly Program[] {
  const environments = Object.fromEntries(
    suiteServices.map((name) => [name, environmentOf(name, ground, ports, folder)]),
  );
  const order: EngineOrder = { environments };
  return [
    {
      name: 'writd',
      main: fileURLToPath(new URL('../engine.js', import.meta.url)),
      environment: { WRITD_ENGINE: JSON.stringify(order), WRIT_METRICS_PORT: String(ports.metrics.registry) },
      services: suiteServices,
    },
  ];
}
