import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrateBus } from '@writ/event-bus';
import { migrate } from '@writ/event-store';
import { readSettings, type ServiceDefinition, settings } from '@writ/service';
import { definitions } from '../suite/definitions.js';
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
    await forward(definitions[service], ownerUrl.reveal(), url);
    say(`schemas of ${service} are up to date`);
  }
});

/** The role and its password are what the service will connect with. */
async function forward(
  { name, migrations }: ServiceDefinition,
  ownerUrl: string,
  url: string,
): Promise<void> {
  const { username, password } = new URL(url);
  const runtimeRole = decodeURIComponent(username);
  await migrate({
    ownerUrl,
    service: name,
    runtimeRole,
    password: decodeURIComponent(password),
    migrations: migrations ?? [],
  });
  await migrateBus({ ownerUrl, runtimeRole });
}
