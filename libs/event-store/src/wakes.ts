/** Who wants to know that there are new facts. */
export class Wakes {
  private readonly waiting = new Set<() => void>();

  /** Answers how to stop; adding the same function twice calls it twice. */
  add(wake: () => void): () => void {
    const entry = () => wake();
    this.waiting.add(entry);
    return () => this.waiting.delete(entry);
  }

  wake(): void {
    for (const wake of this.waiting) queueMicrotask(wake);
  }
}
