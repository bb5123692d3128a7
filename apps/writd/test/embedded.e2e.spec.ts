import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LocalPostgres } from '@writ/event-store';
import { fromOutside } from './outside.js';
import { freePortBase, isTaken, newFolder, Writd } from './running.js';

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

  const withSmallDisk = canMount() ? it : it.skip;

  withSmallDisk('says in one line that the disk is full', async () => {
    const elsewhere = newFolder();
    mkdirSync(elsewhere.path, { recursive: true });
    mountSmall(elsewhere.path);
    const writd = new Writd(['--data', elsewhere.path]);
    expect(await writd.ended()).toBe(1);
    expect(writd.errors).toMatch(/^writd: less than 512 MiB are free at .+\n$/);
    execFileSync('umount', [elsewhere.path]);
    elsewhere.remove();
  });
});

describe('what an earlier start has left', () => {
  let place: ReturnType<typeof newFolder>;
  let ownBase: number;
  const startHere = () => new Writd(['--data', place.path, '--port-base', String(ownBase), '--no-walk']);
  const lock = () => join(place.path, 'postgres', 'data', 'postmaster.pid');

  beforeEach(async () => {
    place = newFolder();
    mkdirSync(place.path, { mode: 0o711 });
    ownBase = await freePortBase(base + 100);
  });

  afterEach(async () => {
    await LocalPostgres.endEarlier(join(place.path, 'postgres'));
    place.remove();
  });

  it(
    'is no database that keeps the port from the next start',
    async () => {
      // Nobody holds the folder, as after a start that was interrupted or gave up: a server is all that is left.
      await LocalPostgres.start({
        folder: join(place.path, 'postgres'),
        port: ownBase + 10,
        durable: true,
        maxConnections: 20,
      });
      const writd = startHere();
      await writd.says('Running. Ctrl-C stops it');
      writd.signal('SIGINT');
      expect(await writd.ended()).toBe(0);
    },
    2 * MINUTES,
  );

  it(
    'is no database when the start was interrupted before the database answered',
    async () => {
      const writd = startHere();
      await until(() => existsSync(lock()));
      const server = Number(readFileSync(lock(), 'utf8').split('\n')[0]);
      writd.signal('SIGINT');
      expect(await writd.ended()).toBe(0);
      expect(server).toBeGreaterThan(0);
      expect(() => process.kill(server, 0)).toThrow('ESRCH');
    },
    2 * MINUTES,
  );

  it(
    'is no service when writd was killed while its services were starting',
    async () => {
      const writd = startHere();
      await until(() => isTaken(ownBase + 1));
      writd.signal('SIGKILL');
      expect(await writd.ended()).toBe('SIGKILL');
      // Those it had not reached yet would come up only now.
      await until(async () => !(await isTaken(ownBase + 1)));
      await delay(1_000);
      expect(await Promise.all([1, 2, 3, 4, 5, 6].map((n) => isTaken(ownBase + n)))).not.toContain(true);
    },
    2 * MINUTES,
  );
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 40_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`never true: ${holds}`);
    await delay(5);
  }
}

function mountSmall(path: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', path], { stdio: 'pipe' });
}

/** Whether this machine lets us mount a small file system. */
function canMount(): boolean {
  const { path, remove } = newFolder();
  mkdirSync(path, { recursive: true });
  try {
    mountSmall(path);
    execFileSync('umount', [path]);
    return true;
  } catch {
    return false;
  } finally {
    remove();
  }
}

/** A machine that runs other tests beside this one gets more time; the promise is for one that does not. */
function slowness(): number {
  return process.env.CI === undefined ? 1 : 3;
}
