import { loadIdentity, probe, serviceSpiffeId } from '@writ/service';
import { TRUST_DOMAIN } from './ground.js';
import type { SuiteService } from './suite.js';

/** Whether a service answers and says that it serves; asked with the service's own certificate. */
export async function isServing(
  identityDir: string,
  address: string,
  service: SuiteService,
): Promise<boolean> {
  const identity = await loadIdentity(identityDir);
  try {
    return (
      (await probe({ identity, address, serverSpiffeId: serviceSpiffeId(TRUST_DOMAIN, service) })) ===
      'SERVING'
    );
  } finally {
    identity.stop();
  }
}
