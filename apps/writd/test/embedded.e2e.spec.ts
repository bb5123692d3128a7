import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fromOutside } from './outside.js';
import { freePortBase, newFolder, Writd } from './running.js';

const MINUTES = 60_000;
const folder = newFolder();
let base: number;
let running: Writd;

const start = (...args: string[]) => new Writd(['--data', folder.path, '--port-base', String(base), ...args]);
const seen = () => fromOutside(folder.path, base);

beforeAll(async () => {
  base = await freePortBase();
  running = start();
  await running.says('Running. Ctrl-C stops it', 4 * MINUTES);
}, 5 * MINUTES);

afterAll(async () => {
  await running?.stop();
  folder.remove();
}, MINUTES);

describe('a suite in one process', () => {
  it('walks the main job at its first start, and every step holds', () => {
    expect(running.output).toContain('All ten steps held.');
    expect(running.output.match(/^ {5}held/gm)).toHaveLength(10);
  });

  it('has paid A and C once each, and never more than the mandate allows', async () => {
    const outside = await seen();
    const rows = await outside.sql<{ invoice_id: string; amount: string }>(
      'erp',
      'select invoice_id, amount from payment',
    );
    outside.close();
    expect(rows.map(({ amount }) => Number(amount)).sort()).toEqual([1_200, 4_000].sort());
    expect(new Set(rows.map(({ invoice_id }) => invoice_id)).size).toBe(2);
  });

  it('leaves no login of an agent behind once its session is over', async () => {
    const outside = await seen();
    const logins = await outside.sql(
      'postgres',
      `select rolname from pg_roles where rolname like 'writ_lse_%'`,
    );
    outside.close();
    expect(logins).toEqual([]);
  });

  it('has every fact of every service in its ledger, once', async () => {
    const outside = await seen();
    const counts = await outside.sql<{ source: string; entries: string }>(
      'writ',
      'select source, count(*) as entries from ledger.entry where pos > 0 group by source',
    );
    for (const { source, entries } of counts) {
      const [head] = await outside.sql<{ pos: string }>(
        'writ',
        `select pos from ${source.replaceAll('-', '_')}.head`,
      );
      expect(`${source} ${entries}`).toBe(`${source} ${head?.pos}`);
    }
    expect(counts.map(({ source }) => source).sort()).toEqual([
      'approvals',
      'policy-engine',
      'registry',
      'session-broker',
      'vault',
    ]);
    expect(await outside.verify()).toMatchObject({ faults: [] });
    outside.close();
  });

  it('refuses a second start on the same data with one line', async () => {
    const second = new Writd(['--data', folder.path, '--port-base', String(base + 30)]);
    expect(await second.ended()).toBe(1);
    expect(second.errors).toMatch(/^writd: another writd \(process \d+\) runs on .+\n$/);
  });

  it('refuses a port that is taken with one line', async () => {
    const elsewhere = newFolder();
    const second = new Writd(['--data', elsewhere.path, '--port-base', String(base)]);
    expect(await second.ended()).toBe(1);
    expect(second.errors).toMatch(/^writd: port \d+ for PostgreSQL is taken; .+--port-base\n$/);
    elsewhere.remove();
  });

  it(
    'stops cleanly within five seconds, and the next start goes on with the same ledger',
    async () => {
      const outside = await seen();
      const first = await outside.clients.ledger.getEntry({ index: 0n, position: undefined });
      const { size } = await outside.clients.ledger.getLedgerHead({});
      outside.close();
      const stoppedAt = performance.now();
      running.signal('SIGINT');
      expect(await running.ended()).toBe(0);
      expect(performance.now() - stoppedAt).toBeLessThan(5_000 * slowness());
      running = start();
      await running.says('Running. Ctrl-C stops it');
      expect(running.output).not.toContain('step by step');
      const again = await seen();
      expect(await again.clients.ledger.getEntry({ index: 0n, position: undefined })).toEqual(first);
      expect((await again.clients.ledger.getLedgerHead({})).size).toBeGreaterThanOrEqual(size);
      again.close();
    },
    3 * MINUTES,
  );

  it(
    'loses nothing when the whole of it is killed',
    async () => {
      const outside = await seen();
      const { size, chain } = await outside.clients.ledger.getLedgerHead({});
      outside.close();
      running.signal('SIGKILL');
      expect(await running.ended()).toBe('SIGKILL');
      running = start();
      await running.says('Running. Ctrl-C stops it');
      const again = await seen();
      const entry = await again.clients.ledger.getEntry({ index: size - 1n, position: undefined });
      expect(entry.chain).toBe(chain);
      expect(await again.verify()).toMatchObject({ faults: [] });
      again.close();
    },
    3 * MINUTES,
  );
});

describe('a start that cannot succeed', () => {
  it.each([
    ['an unknown option', ['--colour'], 64, /^writd: .*--colour.*; see --help\n$/],
    [
      'a port base that is no number',
      ['--port-base', 'x'],
      64,
      /^writd: --port-base must be a whole number.*\n$/,
    ],
    [
      'a folder that cannot be written',
      ['--data', '/dev/null/writ'],
      1,
      /^writd: cannot write to `\/dev\/null\/writ`; .+\n$/,
    ],
  ])('says in one line why: %s', async (_, args, code, line) => {
    const writd = new Writd(args);
    expect(await writd.ended()).toBe(code);
    expect(writd.errors).toMatch(line);
  });

  it('says in one line that the disk is full', async () => {
    const elsewhere = newFolder();
    mkdirSync(elsewhere.path, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', elsewhere.path], { stdio: 'pipe' });
    } catch {
      console.warn('skipped: a small file system cannot be mounted here');
      elsewhere.remove();
      return;
    }
    const writd = new Writd(['--data', elsewhere.path]);
    expect(await writd.ended()).toBe(1);
    expect(writd.errors).toMatch(/^writd: less than 512 MiB are free at .+\n$/);
    execFileSync('umount', [elsewhere.path]);
    elsewhere.remove();
  });
});

/** A machine that runs other tests beside this one gets more time; the promise is for one that does not. */
function slowness(): number {
  return process.env.CI === undefined ? 1 : 3;
}
