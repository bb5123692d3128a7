import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings, settings } from '@writ/service';
import { definitions } from '../suite/definitions.js';
import { migrateService } from '../suite/migrate-service.js';
import { suiteServices } from '../suite/suite.js';
import { runJob } from './job.js';

const table = {
  ownerUrl: settings.secretText({ doc: 'PostgreSQL URL of a role that may make roles and schemas' }),
  databaseUrlDir: settings.text({
    doc: "folder with `<service>-database-url`, the PostgreSQL URL of each service's own role",
  }),
};

await runJob('migrate', async (say) => {
  const { ownerUrl, databaseUrlDir } = readSettings(table, process.env);
  for (const service of suiteServices) {
    const url = readFileSync(join(databaseUrlDir, `${service}-database-url`), 'utf8').trimEnd();
    await migrateService(definitions[service], ownerUrl.reveal(), url);
    say(`schemas of ${service} are up to date`);
  }
});
