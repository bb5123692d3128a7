import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryLog } from '@writ/event-bus';
import type { OcsfEvent } from './ocsf.js';
import { eventNumber, siemSinkContract } from './siem.provider.contract.js';
import { FileSink, SIEM_TOPIC, TopicSink } from './siem.provider.js';

async function folder() {
  const directory = await mkdtemp(join(tmpdir(), 'writ-siem-'));
  const lines = async () => {
    const names = (await readdir(directory)).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
    return texts.join('').split('\n').slice(0, -1);
  };
  return {
    directory,
    names: async () => (await readdir(directory)).sort(),
    received: async () => (await lines()).map((line) => JSON.parse(line) as OcsfEvent),
    close: () => rm(directory, { recursive: true }),
  };
}

siemSinkContract('file', async () => {
  const place = await folder();
  const settings = { directory: place.directory, fileBytesMax: 1_000_000, filesMax: 3 };
  const opened: FileSink[] = [];
  return {
    received: place.received,
    open: async () => {
      const sink = new FileSink(settings);
      opened.push(sink);
      return sink;
    },
    close: async () => {
      await Promise.all(opened.map((sink) => sink.close()));
      await place.close();
    },
  };
});

siemSinkContract('topic', async () => {
  const bus = new MemoryBus(new MemoryLog(), () => undefined);
  return {
    open: async () => new TopicSink(bus),
    received: () => topicEvents(bus),
    close: () => bus.close(),
  };
});

/** Reads the topic up to a record of its own. */
async function topicEvents(bus: MemoryBus): Promise<OcsfEvent[]> {
  const events: OcsfEvent[] = [];
  const end = Promise.withResolvers<void>();
  await bus.ensureTopics([SIEM_TOPIC]);
  await bus.publish(SIEM_TOPIC.topic, 0, [{ key: 'end', headers: {}, value: new Uint8Array() }]);
  const subscription = await bus.subscribe({
    group: 'a receiver',
    topics: [SIEM_TOPIC.topic],
    onBatch: async ({ records }) => {
      for (const { key, headers, value } of records) {
        if (key === 'end') return end.resolve();
        const event = JSON.parse(Buffer.from(value).toString()) as OcsfEvent;
        if (headers.ce_id !== (event.metadata as { uid: string }).uid) end.reject(new Error('another id'));
        events.push(event);
      }
    },
  });
  await end.promise;
  await subscription.stop();
  return events;
}

describe('a file of security events', () => {
  it('is closed when it is full, and named by the index of its last event', async () => {
    const place = await folder();
    const sink = new FileSink({ directory: place.directory, fileBytesMax: 250, filesMax: 10 });
    await sink.open();
    await sink.deliver([0, 1, 2, 3, 4].map(eventNumber));
    expect(await place.names()).toEqual([
      'writ-ocsf-000000000000001.jsonl',
      'writ-ocsf-000000000000003.jsonl',
      'writ-ocsf.jsonl',
    ]);
    expect(await place.received()).toEqual([0, 1, 2, 3, 4].map(eventNumber));
    await sink.close();
    await place.close();
  });

  it('goes when there are more than are kept, the oldest first', async () => {
    const place = await folder();
    const sink = new FileSink({ directory: place.directory, fileBytesMax: 50, filesMax: 2 });
    await sink.open();
    await sink.deliver([0, 1, 2, 3, 4].map(eventNumber));
    expect(await place.received()).toEqual([2, 3, 4].map(eventNumber));
    await sink.close();
    await place.close();
  });

  it('keeps its name across a start: what was written before it is not taken for the oldest', async () => {
    const place = await folder();
    const before = new FileSink({ directory: place.directory, fileBytesMax: 250, filesMax: 2 });
    await before.open();
    await before.deliver([0, 1, 2, 3, 4, 5].map(eventNumber));
    await before.close();
    const after = new FileSink({ directory: place.directory, fileBytesMax: 50, filesMax: 2 });
    await after.open();
    await after.deliver([eventNumber(6)]);
    expect(await place.received()).toEqual([2, 3, 4, 5, 6].map(eventNumber));
    expect(await place.names()).toContain('writ-ocsf-000000000000005.jsonl');
    await after.close();
    await place.close();
  });

  it('loses the half line that a crash has left, and nothing else', async () => {
    const place = await folder();
    const settings = { directory: place.directory, fileBytesMax: 1_000_000, filesMax: 2 };
    const before = new FileSink(settings);
    await before.open();
    await before.deliver([eventNumber(0)]);
    await appendFile(join(place.directory, 'writ-ocsf.jsonl'), `{"message":"${'x'.repeat(100_000)}`);
    const after = new FileSink(settings);
    await after.open();
    await after.deliver([eventNumber(1)]);
    expect(await place.received()).toEqual([0, 1].map(eventNumber));
    await Promise.all([before.close(), after.close()]);
    await place.close();
  });

  it('is refused when its folder cannot be written', async () => {
    const sink = new FileSink({ directory: '/dev/null/no-folder', fileBytesMax: 50, filesMax: 2 });
    await expect(sink.open()).rejects.toThrow();
    await expect(sink.deliver([eventNumber(0)])).rejects.toThrow('not open');
  });
});
