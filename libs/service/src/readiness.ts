/** One thing this process needs in order to answer; true while it has it. */
export type ReadinessCheck = () => boolean | Promise<boolean>;

const answerKeptMs = 500;

/**
 * Whether this process can answer calls: its database, its consumers, its lock feed. Health and the start of `writd` ask
 * here. A check that throws or hangs counts as failing.
 */
export class Readiness {
  readonly #checks = new Map<string, ReadinessCheck>();
  #latest: { readonly atMs: number; readonly failing: Promise<readonly string[]> } | undefined;

  constructor(private readonly monotonicMs: () => number) {}

  /** @param name as people read it: `database`, `feed` */
  add(name: string, check: ReadinessCheck): void {
    this.#checks.set(name, check);
  }

  /** The names of what is missing; none when ready. Asked at most every 500 ms, however many clients ask. */
  failing(): Promise<readonly string[]> {
    const atMs = this.monotonicMs();
    if (this.#latest === undefined || atMs - this.#latest.atMs > answerKeptMs)
      this.#latest = { atMs, failing: this.#ask() };
    return this.#latest.failing;
  }

  async #ask(): Promise<readonly string[]> {
    const answers = await Promise.all(
      [...this.#checks].map(async ([name, check]) => ((await holds(check)) ? [] : [name])),
    );
    return answers.flat();
  }
}

const checkMsMax = 1_000;

async function holds(check: ReadinessCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), checkMsMax);
  });
  try {
    return await Promise.race([check(), late]);
  } catch {
    // The failing part reports its own cause; here it only counts as missing.
    return false;
  } finally {
    clearTimeout(timer);
  }
}
