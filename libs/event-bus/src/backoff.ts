/** Milliseconds that double with each failure in a row and start over after a success. */
export class Backoff {
  private failures = 0;
  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
  ) {}

  nextMs(): number {
    const ms = Math.min(this.maxMs, this.firstMs * 2 ** Math.min(this.failures, 20));
    this.failures += 1;
    return ms;
  }

  reset(): void {
    this.failures = 0;
  }
}

/**
 * A pause that can be cut short. `wake` ends the present pause, or the next one at once when nobody is
 * pausing, so that no signal is lost between "nothing to do" and "wait".
 */
export class Alarm {
  private pending = false;
  private ring: (() => void) | undefined;

  wake(): void {
    this.pending = true;
    this.ring?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.pending)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.ring = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.ring = undefined;
    this.pending = false;
  }
}
