/** How many revocations one database is told at a time. */
const LANES = 2;

interface Lanes {
  free: number;
  readonly queue: (() => void)[];
}

/** Work for databases, in order for each of them. What waits for one waits for no other: one that hangs holds up itself. */
export class LeaseLanes {
  readonly #of = new Map<string, Lanes>();

  async run(databaseRoleId: string, work: () => Promise<void>): Promise<void> {
    const lanes = this.#of.get(databaseRoleId) ?? { free: LANES, queue: [] };
    this.#of.set(databaseRoleId, lanes);
    if (lanes.free > 0) lanes.free -= 1;
    else await new Promise<void>((resolve) => lanes.queue.push(resolve));
    try {
      await work();
    } finally {
      const next = lanes.queue.shift();
      if (next === undefined) lanes.free += 1;
      else next();
      if (lanes.free === LANES) this.#of.delete(databaseRoleId);
    }
  }
}
