/** What has been started, to be stopped in the opposite order, however far a start has come. */
export class Stops {
  readonly #stops: (() => Promise<void>)[] = [];

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  /** Stops everything. What fails to stop keeps nothing else from stopping; its reason is the answer's. */
  async all(): Promise<void> {
    const failures: unknown[] = [];
    for (const stop of this.#stops.splice(0).toReversed())
      await stop().catch((cause: unknown) => failures.push(cause));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped cleanly');
  }
}
