import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '@writ/event-store';
import { createLogger, RoleDirectory, SigningKeys, Telemetry } from '@writ/service';
import { World } from '@writ/testing/world.js';
import { KnownSessions } from '../src/session/session.store.js';
import { vaultService } from '../src/vault.module.js';

let world: World;
let database: Database;

beforeAll(async () => {
  world = await World.start();
  const url = await world.databaseOf(vaultService);
  database = new Database({ url, applicationName: 'a test', connectionsMax: 10 });
}, 60_000);

afterAll(async () => {
  await database?.close();
  await world?.stop();
});

describe('ten replicas that start at once on a fresh database', () => {
  const telemetry = new Telemetry(createLogger({ service: 'vault', level: 'error' }));
  it.each<[string, () => Promise<() => Promise<void>>]>([
    ['session', async () => () => new KnownSessions(database).onModuleInit()],
    ['person_role', async () => () => new RoleDirectory(database, 'vault').prepare()],
    [
      'signing_key',
      async () => {
        const identity = await world.identity({ kind: 'service', id: 'vault' });
        return () => new SigningKeys(database, identity, telemetry).onModuleInit();
      },
    ],
  ])('make the table `%s` once, and none of them fails', async (table, maker) => {
    const make = await maker();
    // Connections that are open already are what makes them meet.
    await Promise.all(Array.from({ length: 10 }, () => database.query('select pg_sleep(0.05)')));
    for (let round = 0; round < 5; round += 1) {
      await database.query(`drop table if exists vault_view.${table}`);
      await Promise.all(Array.from({ length: 10 }, make));
    }
    const { rows } = await database.query(`select * from vault_view.${table}`);
    expect(rows).toEqual([]);
  });
});
