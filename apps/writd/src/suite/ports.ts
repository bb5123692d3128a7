import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type SuiteService, suiteServices } from './suite.js';

export interface Ports {
  readonly services: Readonly<Record<SuiteService, number>>;
  readonly postgres: number;
  /** HTTP of the policy engine: the AuthZEN Authorization API. */
  readonly authzen: number;
  /** Of each service where it is a process of its own; `writd` itself has the registry's. */
  readonly metrics: Readonly<Record<SuiteService, number>>;
}

export function portsFrom(base: number): Ports {
  const counted = (first: number) =>
    Object.fromEntries(suiteServices.map((name, index) => [name, first + index])) as Record<
      SuiteService,
      number
    >;
  return {
    services: counted(base + 1),
    postgres: base + 10,
    authzen: base + 11,
    metrics: counted(base + 15),
  };
}

/** Under which name a client on this machine reaches the Authorization API. */
export function authzenUrl({ authzen }: Ports): string {
  return `https://127.0.0.1:${authzen}`;
}

const ASK_EVERY_MS = 100;

/**
 * @param patienceMs how long whoever still listens may take to end: after a crash, what we had started ends by itself
 * @throws Error that names the first port somebody else listens on, and how to choose others
 */
export async function requireFree(
  ports: readonly (readonly [what: string, port: number])[],
  patienceMs: number,
): Promise<void> {
  for (const [what, port] of ports) {
    for (let waitedMs = 0; await isTaken(port); waitedMs += ASK_EVERY_MS) {
      if (waitedMs >= patienceMs) {
        throw new Error(
          `port ${port} for ${what} is taken; end what listens there or choose others with --port-base`,
        );
      }
      await delay(ASK_EVERY_MS);
    }
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
}
