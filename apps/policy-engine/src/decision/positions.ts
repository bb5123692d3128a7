/**
 * Which positions of one source have been received. Facts of different keys may overtake each other, so beside the
 * unbroken run from 1 there may be others that came early.
 */
export class Positions {
  /** Unbroken runs, both ends included, in ascending order and apart from each other. */
  #runs: readonly (readonly [from: number, upTo: number])[] = [];

  /** Every position from 1 to this one was received. */
  get completeTo(): number {
    const first = this.#runs[0];
    return first?.[0] === 1 ? first[1] : 0;
  }

  has(pos: number): boolean {
    return this.#runs.some(([from, upTo]) => from <= pos && pos <= upTo);
  }

  /** Adds the positions from `from` to `upTo`, both included. */
  add(from: number, upTo: number): void {
    const touching = this.#runs.filter((run) => run[0] <= upTo + 1 && run[1] >= from - 1);
    const merged = touching.reduce<readonly [number, number]>(
      (run, [start, end]) => [Math.min(run[0], start), Math.max(run[1], end)],
      [from, upTo],
    );
    const apart = this.#runs.filter((run) => !touching.includes(run));
    this.#runs = [...apart, merged].sort((a, b) => a[0] - b[0]);
  }
}
