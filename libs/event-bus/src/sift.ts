import { type ConsumedFact, sourceOfTopic, Undecodable } from './cloud-event.js';
import type { NewDeadLetter } from './dead-letter.js';
import type { OpenedRecord, Prepared } from './opened.js';

export interface Known {
  /** Positions received before. */
  readonly seen: ReadonlySet<number>;
  readonly parkedKeys: ReadonlySet<string>;
}

export interface NewFact {
  readonly fact: ConsumedFact;
  readonly prepared: Prepared;
  /** The dead letter it would become. */
  readonly letter: NewDeadLetter;
}

export interface Sifted {
  /** New facts, in order. */
  readonly facts: readonly NewFact[];
  /** New facts of parked keys. */
  readonly behind: readonly NewDeadLetter[];
  /** Records that are no facts. */
  readonly opaque: readonly NewDeadLetter[];
}

/** Tells apart what a batch holds, and drops what was received before, in another batch or in this one. */
export function sift(topic: string, records: readonly OpenedRecord[], { seen, parkedKeys }: Known): Sifted {
  const source = sourceOfTopic(topic);
  const facts: NewFact[] = [];
  const behind: NewDeadLetter[] = [];
  const opaque: NewDeadLetter[] = [];
  const here = new Set<number>();
  for (const { record, fact, prepared } of records) {
    if (fact instanceof Undecodable) {
      opaque.push({ source, topic, record, pos: undefined, reason: 'undecodable', detail: fact.message });
      continue;
    }
    const { pos } = fact;
    if (seen.has(pos) || here.has(pos)) continue;
    here.add(pos);
    if (parkedKeys.has(record.key))
      behind.push({ source, topic, record, pos, reason: 'behind', detail: 'its key is parked' });
    else facts.push({ fact, prepared, letter: { source, topic, record, pos, reason: 'failed', detail: '' } });
  }
  return { facts, behind, opaque };
}
