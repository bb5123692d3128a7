import { migrateBus } from '@writ/event-bus';
import { migrate } from '@writ/event-store';
import type { ServiceDefinition } from '@writ/service';

/** Brings a service's schemas up to date. The role and password of `url` are what the service will connect with. */
export async function migrateService(
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
