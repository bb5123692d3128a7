import { Home, openTrustDomain, readSettings, type SuiteRecord, SystemClock, settings } from '@writ/service';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '../suite/environment.js';
import { TRUST_DOMAIN } from '../suite/ground.js';
import { ensureOperator, renewProfile } from '../suite/operator.js';
import { authzenUrl, type Ports, portsFrom } from '../suite/ports.js';
import { suiteServices } from '../suite/suite.js';
import { runJob } from './job.js';

const table = {
  trustDomainDir: settings.text({ doc: 'folder of the certificate authority' }),
  homeDir: settings.text({ doc: 'folder for the profiles and endpoints that the CLI reads' }),
  registryAddress: settings.address({ doc: 'gRPC of the registry, as this job reaches it' }),
  publishedBase: settings.integer({
    doc: 'services are published on the ports right above it',
    fallback: 7_400,
    min: 1,
    max: 65_000,
  }),
};

/** After the registry answers: the first person, and the profile with which whoever runs this suite is that person. */
await runJob('operator', async (say) => {
  const { trustDomainDir: dir, homeDir, registryAddress, publishedBase } = readSettings(table, process.env);
  const trust = await openTrustDomain({ name: TRUST_DOMAIN, dir, clock: new SystemClock() });
  const home = new Home(homeDir);
  const ports = portsFrom(publishedBase);
  const published = recordOf(ports);
  const endpoints = { ...published.endpoints, registry: registryAddress };
  await ensureOperator(home, { ...published, endpoints }, trust);
  for (const name of await home.profiles()) await renewProfile(home, name, trust);
  await home.saveSuite(published);
  say(`profiles ${(await home.profiles()).join(', ')}`);
});

function recordOf(ports: Ports): SuiteRecord {
  return {
    trustDomain: TRUST_DOMAIN,
    endpoints: Object.fromEntries(suiteServices.map((name) => [name, `127.0.0.1:${ports.services[name]}`])),
    carrier: 'kafka',
    others: { issuer: TOKEN_ISSUER, audience: TOKEN_AUDIENCE, authzen: authzenUrl(ports) },
    startedAt: new SystemClock().now().toISOString(),
    pid: process.pid,
  };
}
