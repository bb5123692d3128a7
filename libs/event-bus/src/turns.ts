/** Work under one name is done one after the other, in the order in which it came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#last.set(name, turn);
    const forget = () => {
      if (this.#last.get(name) === turn) this.#last.delete(name);
    };
    turn.then(forget, forget);
    return turn;
  }
}

/** Work under one name is made ready while the work before it is done: one ahead, so that no more waits in memory. */
export class Lookahead {
  readonly #turns = new Turns();

  /**
   * Runs `prepare` when all that came before is ready and has begun, then `work`, which says by `begun` that it now has
   * its turn. Work that ends without having begun has begun as well.
   */
  run<R, T>(
    name: string,
    prepare: () => Promise<R>,
    work: (ready: R, begun: () => void) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      void this.#turns.take(name, async () => {
        const began = Promise.withResolvers<void>();
        const done = prepare().then((ready) => work(ready, began.resolve));
        done.then(resolve, reject).finally(began.resolve);
        await began.promise;
      });
    });
  }
}
