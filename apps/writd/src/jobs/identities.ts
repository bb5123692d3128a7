import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  createTrustDomain,
  newMaterial,
  openTrustDomain,
  readSettings,
  SystemClock,
  saveIdentity,
  serviceSpiffeId,
  settings,
} from '@writ/service';
import { createKeyFile } from '@writ/vault/secret/file-kek.provider.js';
import { SERVICE_CERTIFICATE_SECONDS, TRUST_DOMAIN } from '../suite/ground.js';
import { suiteServices } from '../suite/suite.js';
import { runJob } from './job.js';

const table = {
  trustDomainDir: settings.text({ doc: 'folder of the certificate authority; made at the first run' }),
  identitiesDir: settings.text({ doc: 'folder that gets a folder with an identity for each service' }),
  keyFile: settings.text({ doc: "file of the vault's key-encryption keys; made at the first run" }),
};

await runJob('identities', async (say) => {
  const { trustDomainDir: dir, identitiesDir, keyFile } = readSettings(table, process.env);
  const domain = { name: TRUST_DOMAIN, dir, clock: new SystemClock() };
  const isKnown = existsSync(join(dir, 'issuing.crt'));
  const trustDomain = isKnown ? await openTrustDomain(domain) : await createTrustDomain(domain);
  say(`trust domain ${TRUST_DOMAIN} ${isKnown ? 'opened' : 'made'}`);
  for (const service of suiteServices) {
    const spiffeId = serviceSpiffeId(TRUST_DOMAIN, service);
    const wish = { trustDomain, spiffeId, ttlSeconds: SERVICE_CERTIFICATE_SECONDS };
    await saveIdentity(join(identitiesDir, service), await newMaterial(wish));
    say(`certificate of ${spiffeId}`);
  }
  // Never a second time: what was encrypted under a lost key is lost.
  if (!existsSync(keyFile)) await createKeyFile(keyFile, (count) => randomBytes(count));
});
