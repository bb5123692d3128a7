import { type Identity, loadIdentity, probe, serviceSpiffeId } from '@writ/service';
import { TRUST_DOMAIN } from './ground.js';
import type { SuiteService } from './suite.js';

/** Asks services whether they serve, each with its own certificate. */
export class Readiness {
  readonly #identities = new Map<SuiteService, Promise<Identity>>();

  async isServing(identityDir: string, address: string, service: SuiteService): Promise<boolean> {
    const identity = await this.#identityOf(identityDir, service);
    return (
      (await probe({ identity, address, serverSpiffeId: serviceSpiffeId(TRUST_DOMAIN, service) })) ===
      'SERVING'
    );
  }

  /** Read once: asking goes on many times a second, and for seconds only. */
  #identityOf(identityDir: string, service: SuiteService): Promise<Identity> {
    const known = this.#identities.get(service);
    if (known !== undefined) return known;
    const loading = loadIdentity(identityDir).then((identity) => {
      identity.stop();
      return identity;
    });
    this.#identities.set(service, loading);
    return loading;
  }
}
