import { Alarm, Backoff } from './backoff.js';
import type { BusLog, SubscribeOptions, Subscription } from './bus.js';
import type { MemberSession, TopicPartition } from './member-session.js';
import { PartitionReader } from './partition-reader.js';

export interface MemberOptions extends SubscribeOptions {
  readonly partitions: readonly TopicPartition[];
  open(): Promise<MemberSession>;
  /** Calls back after a publication to a topic; without a partition, any of its partitions may have grown. */
  listen(wake: (topic: string, partition?: number) => void): () => void;
  readonly log: BusLog;
}

const POLL_MS = 250;
/** Shares are settled less often than records are looked for: a member more or less is rare. */
const POLLS_PER_SETTLING = 4;
const SILENCE_MS_MAX = 60_000;

/**
 * A member of a group on a carrier that is only a log: takes its fair share of the partitions and reads them.
 */
export class Member implements Subscription {
  private readonly readers = new Map<string, PartitionReader>();
  private readonly leaving = new Set<Promise<void>>();
  private readonly alarm = new Alarm();
  private readonly pause = new Alarm();
  private readonly backoff = new Backoff(100, 5_000);
  private session: MemberSession | undefined;
  private stopped = false;
  private polls = 0;
  private nextCandidate = 0;
  private answeredAtMs = performance.now();
  private running: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;

  constructor(private readonly options: MemberOptions) {}

  /** Joins the group; rejects when the carrier does not answer. */
  async start(): Promise<void> {
    this.unlisten = this.options.listen((topic, partition) => this.wake(topic, partition));
    try {
      await this.poll();
    } catch (error) {
      this.unlisten();
      await this.leaveSession();
      throw new Error(`joining group \`${this.options.group}\` failed`, { cause: error });
    }
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unlisten?.();
    this.alarm.wake();
    this.pause.wake();
    await this.running;
    await this.leaveSession();
  }

  healthy(): boolean {
    return !this.stopped && performance.now() - this.answeredAtMs < SILENCE_MS_MAX;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.alarm.wait(POLL_MS);
      if (this.stopped) return;
      try {
        await this.poll();
        this.backoff.reset();
      } catch (error) {
        const pauseMs = this.backoff.nextMs();
        const { group } = this.options;
        this.options.log('warn', 'bus member lost its session, joining again', { group, pauseMs, error });
        await this.leaveSession();
        if (!this.stopped) await this.pause.wait(pauseMs);
      }
    }
  }

  private async poll(): Promise<void> {
    this.session ??= await this.options.open();
    if (this.polls % POLLS_PER_SETTLING === 0) await this.settle(this.session);
    this.polls += 1;
    const held = [...this.readers.values()].filter((reader) => !reader.stopped);
    for (const { topic, partition } of await this.session.behind(held))
      this.readers.get(key(topic, partition))?.poke();
    this.answeredAtMs = performance.now();
  }

  /** Takes or gives back partitions until this member holds no more than its share, rounded up. */
  private async settle(session: MemberSession): Promise<void> {
    const { partitions } = this.options;
    const share = Math.ceil(partitions.length / Math.max(1, await session.members()));
    const held = [...this.readers.values()].filter((reader) => !reader.stopped);
    for (const reader of held.slice(share)) this.giveBack(session, reader);
    let missing = share - held.length;
    // Each round tries as many as are missing, elsewhere each time, so that members do not race for the same
    // few.
    for (let tried = 0; missing > 0 && tried < partitions.length; tried += missing) {
      const free = this.candidates(missing);
      for (const claimed of await session.claim(free)) {
        await this.take(session, claimed);
        missing -= 1;
      }
    }
  }

  private candidates(count: number): TopicPartition[] {
    const { partitions } = this.options;
    const found: TopicPartition[] = [];
    for (let looked = 0; looked < partitions.length && found.length < count; looked += 1) {
      const candidate = partitions[this.nextCandidate % partitions.length] as TopicPartition;
      this.nextCandidate += 1;
      if (!this.readers.has(key(candidate.topic, candidate.partition))) found.push(candidate);
    }
    return found;
  }

  private async take(session: MemberSession, claimed: TopicPartition): Promise<void> {
    const offset = await session.offsetOf(claimed);
    const { onBatch, log, group } = this.options;
    const reader = new PartitionReader({ ...claimed, offset, session, onBatch, log, group });
    this.readers.set(key(claimed.topic, claimed.partition), reader);
  }

  /** Other members may take the partition only after the batch in hand is done. */
  private giveBack(session: MemberSession, reader: PartitionReader): void {
    const leaving = (async () => {
      await reader.stop();
      // A lost session has given everything back already; the next poll finds out.
      if (this.session === session) await session.release(reader);
    })()
      .catch((error: unknown) => {
        const { topic, partition } = reader;
        this.options.log('warn', 'a bus partition was not given back', { topic, partition, error });
      })
      .finally(() => {
        this.readers.delete(key(reader.topic, reader.partition));
        this.leaving.delete(leaving);
      });
    this.leaving.add(leaving);
  }

  private async leaveSession(): Promise<void> {
    await Promise.all([...this.readers.values()].map((reader) => reader.stop()));
    await Promise.all(this.leaving);
    this.readers.clear();
    this.polls = 0;
    const { session } = this;
    this.session = undefined;
    await session?.close();
  }

  private wake(topic: string, partition: number | undefined): void {
    if (partition === undefined) this.alarm.wake();
    else this.readers.get(key(topic, partition))?.poke();
  }
}

function key(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
