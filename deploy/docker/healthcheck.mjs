// Whether the service in this container can serve: asked over mutual TLS with the service's own certificate, because
// nothing answers without one. Ends with 0 or 1, and says in one line why 1.
import { loadIdentity, probe } from '@writ/service';

const { WRIT_IDENTITY_DIR: folder, WRIT_LISTEN: listen = '0.0.0.0:7443' } = process.env;
if (folder === undefined) {
  process.stderr.write('healthcheck: WRIT_IDENTITY_DIR is missing\n');
  process.exit(1);
}
const identity = await loadIdentity(folder);
const address = `127.0.0.1:${listen.slice(listen.lastIndexOf(':') + 1)}`;
const status = await probe({ identity, address, serverSpiffeId: identity.spiffeId });
identity.stop();
if (status !== 'SERVING') process.stderr.write(`healthcheck: ${identity.spiffeId} is ${status}\n`);
process.exit(status === 'SERVING' ? 0 : 1);
