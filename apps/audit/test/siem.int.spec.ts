import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentSuspended } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import type { OcsfEvent } from '../src/siem/ocsf.js';
import { SIEM_TOPIC } from '../src/siem/siem.provider.js';
import { AuditHouse, agentId, type Source, until } from './audit-house.js';

const suspended = { type: 'AgentSuspended', codec: AgentSuspended };

interface Proven {
  readonly unmapped: { writ: { index: number; leaf: string; chain: string; chain_before: string } };
  readonly metadata: { uid: string };
  readonly ai_agent?: { uid: string };
}

let house: AuditHouse;
let registry: Source;
let directory: string;

beforeAll(async () => {
  house = await AuditHouse.open();
  registry = await house.source('registry');
  registry.relay.start();
  directory = join(house.world.folder, 'siem');
});

afterAll(() => house.close());

async function record(count: number): Promise<number> {
  const facts = Array.from({ length: count }, (_, at) => ({ agentId, reason: `reason ${at}` }));
  const stored = await registry.record(suspended, `agent-${agentId}`, ...facts);
  const total = stored.at(-1)?.pos ?? 0;
  await until(async () => (await house.size()) === total, 'every entry');
  return total;
}

async function fileEvents(): Promise<(OcsfEvent & Proven)[]> {
  const names = (await readdir(directory).catch(() => [])).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  // What stands behind the last line break is still being written.
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.map((line) => JSON.parse(line));
}

async function topicEvents(): Promise<(OcsfEvent & Proven)[]> {
  const rows = await house.ask<{ value: Buffer }>(
    'select value from bus.log where topic = $1 order by part, off',
    [SIEM_TOPIC.topic],
  );
  return rows.map(({ value }) => JSON.parse(value.toString()));
}

const indexesOf = (events: readonly Proven[]) =>
  [...new Set(events.map(({ unmapped }) => unmapped.writ.index))].sort((a, b) => a - b);
const upTo = (total: number) => Array.from({ length: total }, (_, at) => at);

describe('security events', () => {
  it('go to file and topic for every entry, in the order of the ledger, each with its proof', async () => {
    const running = await house.start({ siemFileDir: directory, siemTopic: true });
    const total = await record(1_200);
    for (const events of [fileEvents, topicEvents]) {
      await until(async () => (await events()).length === total, 'every event');
      const all = await events();
      expect(all.map(({ unmapped }) => unmapped.writ.index)).toEqual(upTo(total));
      let chain = '00'.repeat(32);
      for (const { unmapped, metadata } of all) {
        const { index, leaf, chain: own, chain_before } = unmapped.writ;
        expect(metadata.uid.endsWith(`/${index}`)).toBe(true);
        expect(chain_before).toBe(chain);
        chain = createHash('sha256')
          .update(Buffer.from(`02${chain_before}${leaf}`, 'hex'))
          .digest('hex');
        expect(own).toBe(chain);
      }
      const [head] = await house.ask<{ chain: Buffer }>('select chain from ledger.state');
      expect(chain).toBe(head?.chain.toString('hex'));
      expect(all.at(-1)?.ai_agent?.uid).toBe(agentId);
    }
    await running.stop();
  });

  it('come again when the service crashed before it noted that they were taken', async () => {
    const before = await fileEvents();
    await house.ask(`update ledger.siem_cursor set next_idx = 1000, fingerprint = '' where sink = 'file'`);
    const running = await house.start({ siemFileDir: directory });
    const total = await record(10);
    await until(async () => (await fileEvents()).length === total + before.length - 1_000, 'repeated events');
    expect(indexesOf(await fileEvents())).toEqual(upTo(total));
    await running.stop();
  });

  it('wait for a sink that is down; ledger and other sinks go on, and nothing is lost', async () => {
    await rename(directory, `${directory}-away`);
    await writeFile(directory, 'a file where the folder should be');
    const running = await house.start({ siemFileDir: directory, siemTopic: true });
    const total = await record(700);
    await until(async () => indexesOf(await topicEvents()).length === total, 'the topic');
    await delay(500);
    await rm(directory);
    await rename(`${directory}-away`, directory);
    await until(async () => indexesOf(await fileEvents()).length === total, 'the file');
    expect(indexesOf(await fileEvents())).toEqual(upTo(total));
    await running.stop();
  });

  it('reach each sink from one service at a time, and from the other when the first has gone', async () => {
    const [one, two] = [
      await house.start({ siemFileDir: directory }),
      await house.start({ siemFileDir: directory }),
    ];
    const before = (await fileEvents()).length;
    const total = await record(300);
    await until(async () => indexesOf(await fileEvents()).length === total, 'the file');
    expect((await fileEvents()).length).toBe(before + 300);
    await one.stop();
    const more = await record(50);
    await until(async () => indexesOf(await fileEvents()).length === more, 'the other service');
    await two.stop();
  });

  it('survive cut connections in mid-delivery', async () => {
    const running = await house.start({ siemFileDir: directory, siemTopic: true });
    const recording = record(3_000);
    for (let cuts = 0; cuts < 8; cuts += 1) {
      await delay(80);
      await house.cut();
    }
    const total = await recording;
    await until(async () => indexesOf(await fileEvents()).length === total, 'the file', 40);
    await until(async () => indexesOf(await topicEvents()).length === total, 'the topic', 40);
    await running.stop();
  });

  it('are readable by their owner only', async () => {
    for (const name of [directory, join(directory, 'writ-ocsf.jsonl')])
      expect((await stat(name)).mode & 0o077).toBe(0);
  });
});
