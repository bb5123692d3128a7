import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startPostgres, type TestPostgres } from './postgres.js';

async function ask<R>(url: string, sql: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('a test PostgreSQL', () => {
  let servers: TestPostgres[];
  beforeAll(async () => {
    servers = await Promise.all([startPostgres(), startPostgres({ durable: true })]);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  it('is one of several that run at once, each on its own port', async () => {
    const [first, second] = servers as [TestPostgres, TestPostgres];
    expect(first.port).not.toBe(second.port);
    const urls = await Promise.all(['a', 'b', 'c'].map((name) => first.database(name)));
    await Promise.all(urls.map((url) => ask(url, 'create table t (n int)')));
    expect(await ask(urls[0] as string, 'show max_connections')).toEqual([{ max_connections: '200' }]);
  });

  it('keeps what was committed before a crash', async () => {
    const server = servers[1] as TestPostgres;
    const url = await server.database('crash');
    await ask(url, 'create table t (n int); insert into t values (7)');
    await server.crash();
    await expect(ask(url, 'select n from t')).rejects.toThrow('ECONNREFUSED');
    await server.startAgain();
    expect(await ask(url, 'select n from t')).toEqual([{ n: 7 }]);
  });

  it('leaves no process and no folder behind when its owner is killed', async () => {
    const server = await startPostgres();
    const [row] = await ask<{ directory: string }>(
      server.superuserUrl,
      `select current_setting('data_directory') as directory`,
    );
    const directory = dirname(row?.directory ?? '');
    expect(directory.startsWith(tmpdir())).toBe(true);
    const script = `
      const { reapDirectory } = await import(${JSON.stringify(new URL('./orphan.ts', import.meta.url).href)});
      reapDirectory(${JSON.stringify(directory)});
      console.log('ready');
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    await once(owner.stdout, 'data');
    owner.kill('SIGKILL');
    for (let tries = 0; existsSync(directory) && tries < 150; tries += 1) await delay(100);
    expect(existsSync(directory)).toBe(false);
    await expect(ask(server.superuserUrl, 'select 1')).rejects.toThrow('ECONNREFUSED');
    await server.stop();
  });
});
