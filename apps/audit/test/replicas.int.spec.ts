import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SecretCreated } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import { Database, type Tx } from '@writ/event-store';
import { type RunningService, SystemClock } from '@writ/service';
import { EntryAppend } from '../src/entry/entry.store.js';
import { AuditHouse, type Source, until, verified } from './audit-house.js';

const created = { type: 'SecretCreated', codec: SecretCreated };

let house: AuditHouse;
let registry: Source;
let vault: Source;
let recorded = 0;

beforeAll(async () => {
  house = await AuditHouse.open();
  [registry, vault] = [await house.source('registry'), await house.source('vault')];
  registry.relay.start();
  vault.relay.start();
});

afterAll(() => house.close());

/** Facts of both services, of many streams, so that every partition has some. */
async function record(count: number): Promise<void> {
  for (let stream = 0; stream < 20; stream += 1) {
    const facts = Array.from({ length: count / 40 }, (_, at) =>
      SecretCreated.fromPartial({ displayName: `${at}` }),
    );
    await vault.record(created, `secret-${stream}`, ...facts);
    // Of a type that the registry does not have: entered all the same, as opaque.
    await registry.record(created, `secret-${stream}`, ...facts);
  }
  recorded += count;
}

/** Each fact once, in one chain, whatever happened. */
async function complete(running: RunningService): Promise<void> {
  await until(async () => (await house.size()) >= recorded + 1, 'every fact', 40);
  const client = await house.client(running);
  const { faults, last } = await verified(client);
  expect(faults).toEqual([]);
  expect(last?.entriesChecked).toBe(BigInt(recorded + 1));
  const { sources } = await client.listSources({});
  expect(sources.map(({ missing }) => missing)).toEqual([[], []]);
  expect(sources.reduce((sum, { received }) => sum + received, 0n)).toBe(BigInt(recorded + 1));
}

describe('two audit services on one ledger', () => {
  it('enter every fact once, in one line', async () => {
    const [one, two] = [await house.start(), await house.start()];
    await record(8_000);
    await complete(one);
    await complete(two);
    await Promise.all([one.stop(), two.stop()]);
  });
});

describe('an audit service', () => {
  it('goes on without gap or repetition when its connections are cut in mid-batch', async () => {
    const running = await house.start();
    const recording = record(12_000);
    for (let cuts = 0; cuts < 8; cuts += 1) {
      const before = await house.size();
      await until(async () => (await house.size()) > before, 'some progress');
      await house.cut();
    }
    await recording;
    await complete(running);
    expect(house.logged.some((line) => line.includes('connection to the database lost'))).toBe(true);
    await running.stop();
  });

  it('goes on where it stopped when it is stopped and started in mid-batch', async () => {
    const recording = record(12_000);
    for (let starts = 0; starts < 4; starts += 1) {
      const running = await house.start();
      await delay(150);
      await running.stop();
    }
    await recording;
    const running = await house.start();
    await complete(running);
    await running.stop();
  });

  it('loses nothing and repeats nothing when PostgreSQL crashes under it', async () => {
    const running = await house.start();
    await record(4_000);
    await house.world.postgres.crash();
    await delay(300);
    await house.world.postgres.startAgain();
    await until(async () => (await house.size().catch(() => 0)) > 0, 'the database');
    await record(1_000);
    await complete(running);
    await running.stop();
  });
});

// Last: it leaves a source with positions that nobody has recorded.
describe('a writer', () => {
  it('whose ledger moved on after it was read enters nothing', async () => {
    const database = new Database({ url: house.databaseUrl, applicationName: 'a writer' });
    const entries = new EntryAppend(new SystemClock());
    await entries.open(database);
    const texts = { actor: 'a', cause: '', streamId: 's', traceparent: '', eventId: 'e', type: 'opaque' };
    const entry = { ...texts, source: 'approvals', pos: 7, atMs: 0, payload: Uint8Array.of(1) };
    const sealed = entries.seal({ ...entry, subjectIds: [], task: '' });
    const size = await house.size();
    const moving = database.transaction(async (tx) => {
      const query: Tx['query'] = async (sql, params, name) => {
        const answer = await tx.query(sql, params, name);
        if (name === 'ledger.state') await tx.query('update ledger.state set epoch = epoch + 1');
        return answer as never;
      };
      const copy: Tx['copy'] = (into, rows) => tx.copy(into, rows);
      const send: Tx['send'] = (...statement) => tx.send(...statement);
      await entries.append({ query, send, copy, afterCommit: () => undefined }, [sealed]);
    });
    await expect(moving).rejects.toThrow('the ledger moved on');
    expect(await house.size()).toBe(size);
    expect(await house.ask(`select from ledger.entry where source = 'approvals'`)).toEqual([]);
    expect(await house.ask(`select from ledger.source where source = 'approvals'`)).toEqual([]);
    await database.transaction((tx) => entries.append(tx, [sealed]));
    expect(await house.size()).toBe(size + 1);
    await database.close();
  });
});
