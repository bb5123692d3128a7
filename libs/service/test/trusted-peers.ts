import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clock, SystemClock } from '../src/clock.js';
import { Identity, newMaterial } from '../src/trust/identity.js';
import { createTrustDomain, type TrustDomain } from '../src/trust/trust-domain.js';

export const TRUST_DOMAIN = 'writ.test';
export const ADMIN_ID = 'psn_01K41M7JG00000000000000ADM';
export const AGENT_ID = 'agt_01K41M7JG00000000000000AGT';

/** The machine's clock, moved by a fixed amount: for certificates of the past and of the future. */
export class ShiftedClock extends Clock {
  readonly #system = new SystemClock();

  constructor(public shiftMs: number) {
    super();
  }

  override now(): Date {
    return new Date(this.#system.now().getTime() + this.shiftMs);
  }

  override monotonicMs(): number {
    return this.#system.monotonicMs();
  }

  override randomBytes(count: number): Uint8Array {
    return this.#system.randomBytes(count);
  }
}

/** A trust domain in a temporary folder, and identities from it. */
export interface Peers {
  readonly dir: string;
  readonly domain: TrustDomain;
  identity(path: string, ttlSeconds?: number): Promise<Identity>;
  remove(): Promise<void>;
}

export async function newPeers(o: { name?: string; clock?: Clock } = {}): Promise<Peers> {
  const name = o.name ?? TRUST_DOMAIN;
  const dir = join(await mkdtemp(join(tmpdir(), 'writ-trust-')), 'domain');
  const domain = await createTrustDomain({ name, dir, clock: o.clock ?? new SystemClock() });
  return {
    dir,
    domain,
    async identity(path, ttlSeconds = 3600) {
      return new Identity(
        await newMaterial({ trustDomain: domain, spiffeId: `spiffe://${name}${path}`, ttlSeconds }),
      );
    },
    remove: () => rm(join(dir, '..'), { recursive: true, force: true }),
  };
}
