import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readSettings, serviceSpiffeId, settings } from '@writ/service';
import { createKeyFile } from '@writ/vault/secret/file-kek.provider.js';
import { hasTrustDomain, issueIdentity, TRUST_DOMAIN, trustDomainIn } from '../suite/ground.js';
import { suiteServices } from '../suite/suite.js';
import { runJob } from './job.js';

const table = {
  trustDomainDir: settings.text({ doc: 'folder of the certificate authority; made at the first run' }),
  identitiesDir: settings.text({ doc: 'folder that gets a folder with an identity for each service' }),
  keyFile: settings.text({ doc: "file of the vault's key-encryption keys; made at the first run" }),
};

await runJob('identities', async (say) => {
  const { trustDomainDir: dir, identitiesDir, keyFile } = readSettings(table, process.env);
  const isKnown = hasTrustDomain(dir);
  const trustDomain = await trustDomainIn(dir);
  say(`trust domain ${TRUST_DOMAIN} ${isKnown ? 'opened' : 'made'}`);
  for (const service of suiteServices) {
    await issueIdentity(service, trustDomain, identitiesDir);
    say(`certificate of ${serviceSpiffeId(TRUST_DOMAIN, service)}`);
  }
  // Never a second time: what was encrypted under a lost key is lost.
  if (!existsSync(keyFile)) await createKeyFile(keyFile, (count) => randomBytes(count));
});
