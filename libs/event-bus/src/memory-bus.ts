import {
  BATCH_RECORDS_MAX,
  Bus,
  type BusLog,
  type BusRecord,
  type OutgoingRecord,
  type SubscribeOptions,
  type Subscription,
  type TopicSpec,
} from './bus.js';
import { Member } from './member.js';
import type { MemberSession, TopicPartition } from './member-session.js';

interface MemoryGroup {
  readonly members: Set<MemberSession>;
  readonly owners: Map<string, MemberSession>;
  readonly offsets: Map<string, number>;
}

/** What outlives a `MemoryBus`: the records and where each group stands. */
export class MemoryLog {
  readonly topics = new Map<string, BusRecord[][]>();
  readonly groups = new Map<string, MemoryGroup>();
  readonly listeners = new Set<(topic: string, partition: number) => void>();

  records(topic: string, partition: number): BusRecord[] {
    const records = this.topics.get(topic)?.[partition];
    if (records === undefined) throw new Error(`no partition ${partition} of \`${topic}\``);
    return records;
  }

  group(name: string): MemoryGroup {
    const group = this.groups.get(name) ?? { members: new Set(), owners: new Map(), offsets: new Map() };
    this.groups.set(name, group);
    return group;
  }
}

/**
 * The bus of one process, gone with it: for simulation and rules of consumers. Several buses may share one
 * `MemoryLog`.
 */
export class MemoryBus extends Bus {
  private readonly subscriptions = new Set<Subscription>();

  constructor(
    private readonly memory: MemoryLog,
    private readonly log: BusLog,
  ) {
    super();
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const partitions = options.topics.flatMap((topic) =>
      Array.from({ length: this.partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
    );
    const member = new Member({
      ...options,
      partitions,
      log: this.log,
      open: async () => new MemorySession(this.memory, this.memory.group(options.group)),
      listen: (wake) => {
        this.memory.listeners.add(wake);
        return () => this.memory.listeners.delete(wake);
      },
    });
    await member.start();
    this.subscriptions.add(member);
    return {
      healthy: () => member.healthy(),
      stop: async () => {
        this.subscriptions.delete(member);
        await member.stop();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.stop()));
    this.subscriptions.clear();
  }

  protected async createTopics(specs: readonly TopicSpec[]): Promise<ReadonlyMap<string, number>> {
    for (const { topic, partitions } of specs)
      if (!this.memory.topics.has(topic))
        this.memory.topics.set(
          topic,
          Array.from({ length: partitions }, () => []),
        );
    return new Map(specs.map(({ topic }) => [topic, this.memory.topics.get(topic)?.length ?? 0]));
  }

  protected async send(topic: string, partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    const held = this.memory.records(topic, partition);
    for (const { key, headers, value } of records)
      held.push({ partition, offset: held.length, key, headers: { ...headers }, value: value.slice() });
    for (const wake of this.memory.listeners) wake(topic, partition);
  }
}

class MemorySession implements MemberSession {
  constructor(
    private readonly memory: MemoryLog,
    private readonly group: MemoryGroup,
  ) {
    group.members.add(this);
  }

  async members(): Promise<number> {
    return this.group.members.size;
  }

  async claim(candidates: readonly TopicPartition[]): Promise<TopicPartition[]> {
    const free = candidates.filter((candidate) => !this.group.owners.has(name(candidate)));
    for (const claimed of free) this.group.owners.set(name(claimed), this);
    return free;
  }

  async release(held: TopicPartition): Promise<void> {
    if (this.group.owners.get(name(held)) === this) this.group.owners.delete(name(held));
  }

  async offsetOf(held: TopicPartition): Promise<number> {
    return this.group.offsets.get(name(held)) ?? 0;
  }

  async advance(held: TopicPartition, offset: number): Promise<void> {
    if (this.group.owners.get(name(held)) !== this)
      throw new Error(`${name(held)} is held by another member`);
    this.group.offsets.set(name(held), offset);
  }

  async behind(held: readonly (TopicPartition & { offset: number })[]): Promise<TopicPartition[]> {
    return held.filter(
      ({ topic, partition, offset }) => this.memory.records(topic, partition).length > offset,
    );
  }

  async read({ topic, partition }: TopicPartition, offset: number): Promise<BusRecord[]> {
    return this.memory.records(topic, partition).slice(offset, offset + BATCH_RECORDS_MAX);
  }

  async close(): Promise<void> {
    this.group.members.delete(this);
    for (const [held, owner] of this.group.owners) if (owner === this) this.group.owners.delete(held);
  }
}

function name({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
