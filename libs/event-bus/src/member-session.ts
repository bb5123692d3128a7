import type { BusRecord } from './bus.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * One member's hold on its group, for carriers without a coordinator of their own. When the session is lost,
 * so are its partitions, and every call rejects.
 */
export interface MemberSession {
  /** Living members of the group, this one included. */
  members(): Promise<number>;
  /** Takes those of `candidates` that nobody holds. */
  claim(candidates: readonly TopicPartition[]): Promise<TopicPartition[]>;
  release(held: TopicPartition): Promise<void>;
  /** Where the group stands: 0 for a new group. */
  offsetOf(held: TopicPartition): Promise<number>;
  advance(held: TopicPartition, offset: number): Promise<void>;
  /** For each given partition that has records at or after `offset`, in any order. */
  behind(held: readonly (TopicPartition & { offset: number })[]): Promise<TopicPartition[]>;
  /** At most `BATCH_RECORDS_MAX` records from `offset` on. */
  read(held: TopicPartition, offset: number): Promise<BusRecord[]>;
  close(): Promise<void>;
}
