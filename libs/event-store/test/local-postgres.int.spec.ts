import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LocalPostgres, type LocalPostgresSettings } from '../src/local-postgres.js';
import { freePort } from '../src/port.js';

let place: string;
let settings: LocalPostgresSettings;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'writ-local-'));
  chmodSync(place, 0o755);
  const folder = join(place, 'postgres');
  settings = { folder, port: await freePort(), durable: false, maxConnections: 20 };
  await (await LocalPostgres.start(settings)).stop();
});

afterAll(async () => {
  await LocalPostgres.endEarlier(settings.folder);
  rmSync(place, { recursive: true, force: true });
});

describe('a local PostgreSQL', () => {
  it('is not left running by a start that gives up on it', async () => {
    // It runs and lets nobody in, which to its starter is the same as never being ready.
    writeFileSync(join(settings.folder, 'password'), 'another\n');
    const start = LocalPostgres.start({ ...settings, startMsMax: 1_500 });
    await expect(start).rejects.toThrow('PostgreSQL did not answer within 1.5 s');
    expect(existsSync(join(settings.folder, 'data', 'postmaster.pid'))).toBe(false);
  });
});
