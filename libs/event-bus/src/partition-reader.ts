import { Alarm, Backoff } from './backoff.js';
import type { BusLog, BusRecord, SubscribeOptions } from './bus.js';
import type { MemberSession } from './member-session.js';

export interface PartitionReaderOptions {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly session: MemberSession;
  readonly onBatch: SubscribeOptions['onBatch'];
  readonly log: BusLog;
  readonly group: string;
}

/** Reads one partition that this member holds: one batch at a time, the same again after a failure. */
export class PartitionReader {
  readonly topic: string;
  readonly partition: number;
  stopped = false;
  private position: number;
  private again = false;
  private draining: Promise<void> | undefined;
  private readonly pause = new Alarm();
  private readonly backoff = new Backoff(100, 5_000);

  constructor(private readonly options: PartitionReaderOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.position = options.offset;
  }

  /** The offset that is read next. */
  get offset(): number {
    return this.position;
  }

  /** There may be something to read. */
  poke(): void {
    this.again = true;
    this.draining ??= this.drain().finally(() => {
      this.draining = undefined;
    });
  }

  /** Resolves when the batch in hand is done. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.pause.wake();
    await this.draining;
  }

  private async drain(): Promise<void> {
    while (this.again && !this.stopped) {
      this.again = false;
      try {
        const records = await this.options.session.read(this.options, this.position);
        if (records.length === 0) continue;
        await this.deliver(records);
        this.backoff.reset();
      } catch (error) {
        const pauseMs = this.backoff.nextMs();
        const { topic, partition, group, log } = this.options;
        log('warn', 'a batch was not consumed, trying again', { group, topic, partition, pauseMs, error });
        if (!this.stopped) await this.pause.wait(pauseMs);
      }
      this.again = true;
    }
  }

  private async deliver(records: readonly BusRecord[]): Promise<void> {
    const { topic, partition, session, onBatch } = this.options;
    const last = records[records.length - 1] as BusRecord;
    let sought = false;
    const advance = async (offset: number) => {
      await session.advance(this.options, offset);
      this.position = offset;
    };
    await onBatch({
      topic,
      partition,
      records,
      seek: async (offset) => {
        await advance(offset);
        sought = true;
      },
    });
    if (!sought) await advance(last.offset + 1);
  }
}
