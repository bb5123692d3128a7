/** Who wants to know that there are new facts. */
export class Wakes {
  private readonly waiting = new Set<() => void>();

  /** Answers how to stop; adding the same function twice calls it twice. */
  add(wake: () => void): () => void {
    const entry = () => wake();
    this.waiting.add(entry);
    return () => this.waiting.delete(entry);
  }

  /** In the next turn of the loop: what a commit lets loose beside them, such as an order to stop, leaves first. */
  wake(): void {
    for (const wake of this.waiting) setImmediate(wake);
  }
}
