import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SecretCreated } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import type { RunningService } from '@writ/service';
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
