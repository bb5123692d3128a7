/** `process.exit` ends without Node's `beforeExit`: whoever has something to finish first says so here. */
const lastActs: (() => Promise<unknown>)[] = [];

/** A stop has five seconds in all, and a collector that hangs may not take them. */
const lastActsMsMax = 1_000;

let ending: Promise<unknown> | undefined;

/** Has `act` done before the process ends by `endProcess`. */
export function beforeEnd(act: () => Promise<unknown>): void {
  lastActs.push(act);
}

/** Ends the process when the last acts are done, or after a second without them. */
export async function endProcess(code: number): Promise<never> {
  ending ??= Promise.race([
    Promise.allSettled(lastActs.map((act) => act())),
    new Promise((resolve) => setTimeout(resolve, lastActsMsMax)),
  ]);
  await ending;
  process.exit(code);
}
