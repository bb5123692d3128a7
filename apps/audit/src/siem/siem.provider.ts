import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bus, TopicSpec } from '@writ/event-bus';
import { canonicalJson } from '@writ/kernel';
import type { OcsfEvent } from './ocsf.js';

/** A place outside that keeps security events. `siem.provider.contract.ts` holds what every sink promises. */
export abstract class SiemSink {
  /** Names the sink's place in the ledger: unique, and never changed. */
  abstract readonly name: string;

  /** Makes it ready. Called before the first delivery and again after one that failed. */
  abstract open(): Promise<void>;

  /**
   * Resolves only when every event is held so that a crash of this machine does not lose it. After a
   * rejection the sink may hold none, some or all: the same events come again, and receivers tell them by
   * `metadata.uid`.
   */
  abstract deliver(events: readonly OcsfEvent[]): Promise<void>;

  abstract close(): Promise<void>;
}

export const SIEM_TOPIC: TopicSpec = { topic: 'writ.siem.ocsf.v1', partitions: 1 };

/** A topic of one partition, so that a receiver sees events in the order of the ledger. */
export class TopicSink extends SiemSink {
  override readonly name = 'topic';

  constructor(private readonly bus: Bus) {
    super();
  }

  override async open(): Promise<void> {
    await this.bus.ensureTopics([SIEM_TOPIC]);
  }

  override async deliver(events: readonly OcsfEvent[]): Promise<void> {
    await this.bus.publish(SIEM_TOPIC.topic, 0, events.map(recordOf));
  }

  /** The bus stays open: it belongs to whoever made it. */
  override async close(): Promise<void> {}
}

/** CloudEvents 1.0, binary mode, as facts have it. */
function recordOf(event: OcsfEvent) {
  const { uid } = event.metadata as { uid: string };
  const headers = {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: uid,
    ce_source: '/writ/audit',
    ce_type: SIEM_TOPIC.topic,
    ce_time: new Date(event.time as number).toISOString(),
  };
  return { key: uid, headers, value: Buffer.from(canonicalJson(event)) };
}

export interface FileSinkSettings {
  readonly directory: string;
  /** A file that would grow beyond this is closed and a new one begun. */
  readonly fileBytesMax: number;
  /** Closed files that are kept; the oldest goes first. */
  readonly filesMax: number;
}

const CURRENT = 'writ-ocsf.jsonl';
const closedName = /^writ-ocsf-\d{15}\.jsonl$/;

/**
 * One JSON object a line in `writ-ocsf.jsonl`. Closed files are named by the ledger index of their last event,
 * `writ-ocsf-000000000001234.jsonl`. One process writes at a time: the forwarder holds the sink.
 */
export class FileSink extends SiemSink {
  override readonly name = 'file';
  private file: FileHandle | undefined;
  private bytes = 0;
  private lastIndex = 0;

  constructor(private readonly settings: FileSinkSettings) {
    super();
  }

  /** A crash may have left half a line: it is cut off, its event comes again. */
  override async open(): Promise<void> {
    await this.close();
    await mkdir(this.settings.directory, { recursive: true, mode: 0o700 });
    this.file = await open(join(this.settings.directory, CURRENT), 'a+', 0o600);
    const { size } = await this.file.stat();
    this.bytes = await startOfLine(this.file, size);
    await this.file.truncate(this.bytes);
    if (this.bytes > 0) this.lastIndex = await lastIndexOf(this.file, this.bytes);
    await this.syncDirectory();
  }

  override async deliver(events: readonly OcsfEvent[]): Promise<void> {
    let lines: Buffer[] = [];
    for (const event of events) {
      const line = Buffer.from(`${canonicalJson(event)}\n`);
      if (this.bytes > 0 && this.bytes + line.length > this.settings.fileBytesMax) {
        await this.write(lines);
        lines = [];
        await this.rotate();
      }
      lines.push(line);
      this.bytes += line.length;
      this.lastIndex = (event.metadata as { sequence: number }).sequence;
    }
    await this.write(lines);
  }

  override async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private async write(lines: readonly Buffer[]): Promise<void> {
    await this.opened().appendFile(Buffer.concat(lines));
    await this.opened().datasync();
  }

  private async rotate(): Promise<void> {
    const { directory } = this.settings;
    const closed = `writ-ocsf-${String(this.lastIndex).padStart(15, '0')}.jsonl`;
    await rename(join(directory, CURRENT), join(directory, closed));
    await this.open();
    const names = (await readdir(directory)).filter((name) => closedName.test(name)).sort();
    for (const name of names.slice(0, Math.max(0, names.length - this.settings.filesMax)))
      await rm(join(directory, name));
  }

  private opened(): FileHandle {
    if (this.file === undefined) throw new Error('the file sink is not open');
    return this.file;
  }

  private async syncDirectory(): Promise<void> {
    const directory = await open(this.settings.directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

const LOOK_BACK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Where the line begins that holds the byte before `end`, or would be continued at `end`. */
async function startOfLine(file: FileHandle, end: number): Promise<number> {
  let before = end;
  while (before > 0) {
    const start = Math.max(0, before - LOOK_BACK_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(before - start), 0, before - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
    before = start;
  }
  return 0;
}

/** The ledger index of the last event of a file of `bytes` bytes: the file may be closed before another is added to it. */
async function lastIndexOf(file: FileHandle, bytes: number): Promise<number> {
  const start = await startOfLine(file, bytes - 1);
  const { buffer } = await file.read(Buffer.alloc(bytes - start), 0, bytes - start, start);
  return JSON.parse(buffer.toString('utf8')).metadata.sequence;
}
