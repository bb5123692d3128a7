import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  address,
  describeSettings,
  flag,
  integer,
  list,
  maybe,
  oneOf,
  readSettings,
  SettingsError,
  secretText,
  settingsClass,
  text,
} from './settings.js';

const table = {
  databaseUrl: secretText({ doc: 'PostgreSQL URL' }),
  listen: address({ doc: 'where to serve', fallback: '127.0.0.1:7443' }),
  bus: oneOf(['postgres', 'kafka'], { doc: 'carrier', fallback: 'postgres' }),
  kafkaBrokers: list({ doc: 'brokers', fallback: [] }),
  connections: integer({ doc: 'connections', fallback: 10, min: 1, max: 20 }),
  reflection: flag({ doc: 'reflection', fallback: false }),
  metricsPort: maybe(integer({ doc: 'port', min: 0, max: 65535 })),
} as const;
const enough = { WRIT_DATABASE_URL: 'postgres://writ:hunter2@127.0.0.1/writ' };

function refusal(environment: Record<string, string>): string {
  try {
    readSettings(table, environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  throw new Error('the settings were accepted');
}

describe('settings of a service', () => {
  it('are typed and have the defaults of their table', () => {
    const values = readSettings(table, {
      ...enough,
      WRIT_KAFKA_BROKERS: 'a:1, b:2',
      WRIT_REFLECTION: 'true',
    });
    expect(values.databaseUrl.reveal()).toContain('hunter2');
    expect(values).toMatchObject({
      listen: '127.0.0.1:7443',
      bus: 'postgres',
      kafkaBrokers: ['a:1', 'b:2'],
      connections: 10,
      reflection: true,
      metricsPort: undefined,
    });
  });

  it('stop the start with one line that names the one that is missing', () => {
    expect(refusal({})).toBe('WRIT_DATABASE_URL is missing: PostgreSQL URL');
    expect(refusal({ WRIT_DATABASE_URL: '' })).toContain('WRIT_DATABASE_URL is missing');
  });

  it('stop the start at an unknown name and name the nearest', () => {
    expect(refusal({ ...enough, WRIT_DATABSE_URL: 'x' })).toContain(
      'WRIT_DATABSE_URL is no setting of this service; did you mean WRIT_DATABASE_URL?',
    );
  });

  it('name every mistake at once and no value', () => {
    const message = refusal({
      ...enough,
      WRIT_BUS: 'rabbit-hunter2',
      WRIT_CONNECTIONS: '1e3',
      WRIT_LISTEN: 'here',
    });
    expect(message).toContain('WRIT_BUS must be one of `postgres`, `kafka`');
    expect(message).toContain('WRIT_CONNECTIONS must be a whole number from 1 to 20');
    expect(message).toContain('WRIT_LISTEN must be `host:port`');
    expect(message).not.toMatch(/hunter2|\n/);
  });

  it('ignore what does not begin with WRIT_', () => {
    expect(() => readSettings(table, { ...enough, PATH: '/bin' })).not.toThrow();
  });

  it('take a secret from a file, so that it need not be in the environment', () => {
    const dir = mkdtempSync(join(tmpdir(), 'writ-settings-'));
    writeFileSync(join(dir, 'url'), 'postgres://from-file\n');
    const values = readSettings(table, { WRIT_DATABASE_URL_FILE: join(dir, 'url') });
    expect(values.databaseUrl.reveal()).toBe('postgres://from-file');
    rmSync(dir, { recursive: true });
    expect(refusal({ WRIT_LISTEN_FILE: '/x', ...enough })).toContain('WRIT_LISTEN_FILE is no setting');
  });

  it('are described for the one who runs the service', () => {
    expect(describeSettings(table)[0]).toBe('WRIT_DATABASE_URL (secret, required): PostgreSQL URL');
  });

  it('can be a class of their own, which Nest hands out', () => {
    class VaultSettings extends settingsClass({ keyFile: text({ doc: 'key file' }) }) {}
    const values = new VaultSettings(readSettings(VaultSettings.table, { WRIT_KEY_FILE: '/key' }));
    expect(values).toBeInstanceOf(VaultSettings);
    expect(values.keyFile).toBe('/key');
  });
});
