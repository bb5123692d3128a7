import { fileURLToPath } from 'node:url';
import type { DataFolder } from './data-folder.js';
import { type EngineOrder, environmentOf } from './environment.js';
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

/** All services in one process. */
export function engineProgram(ports: Ports): Omit<Program, 'order'> {
  return {
    name: 'writd',
    main: fileURLToPath(new URL('../engine.js', import.meta.url)),
    environment: { WRIT_METRICS_PORT: String(ports.metrics.registry) },
    services: suiteServices,
  };
}

export function engineOrder(ground: Ground, ports: Ports, folder: DataFolder): EngineOrder {
  return {
    environments: Object.fromEntries(
      suiteServices.map((name) => [name, environmentOf(name, ground, ports, folder)]),
    ),
  };
}
