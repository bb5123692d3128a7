import type { Clock } from './clock.js';
import { type ClientIdentity, type IdentitySource, readIdentity } from './identity.js';

/** How often a source is read again: certificate renewers replace files without telling. */
const RELOAD_EVERY_MS = 60_000;

/** Looks for newer material while a client is open. What cannot be used changes nothing and is told. */
export class IdentityRenewal {
  #current: ClientIdentity;
  readonly #stop: () => void;

  constructor(
    private readonly source: IdentitySource,
    identity: ClientIdentity,
    private readonly o: {
      readonly clock: Clock;
      readonly renewed: (identity: ClientIdentity) => void;
      readonly failed: (cause: unknown) => void;
    },
  ) {
    this.#current = identity;
    // Material that was handed over once stays what it is.
    this.#stop =
      typeof source === 'function'
        ? o.clock.every(RELOAD_EVERY_MS, () => void this.renew().catch(o.failed))
        : () => undefined;
  }

  /** Throws when there is something that cannot be used; the present identity stays. */
  async renew(): Promise<void> {
    const next = await readIdentity(this.source);
    if (next.fingerprint === this.#current.fingerprint) return;
    if (next.spiffeId !== this.#current.spiffeId)
      throw new Error(
        `the renewed certificate is of \`${next.spiffeId}\`, not of \`${this.#current.spiffeId}\``,
      );
    this.#current = next;
    this.o.renewed(next);
  }

  stop(): void {
    this.#stop();
  }
}
