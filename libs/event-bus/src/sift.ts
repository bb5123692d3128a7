import type { BusRecord } from './bus.js';
import { type ConsumedFact, factOf, sourceOfTopic, Undecodable } from './cloud-event.js';
import type { NewDeadLetter } from './dead-letter.js';

export interface Known {
  /** Positions received before. */
  readonly seen: ReadonlySet<number>;
  readonly parkedKeys: ReadonlySet<string>;
}

export interface Sifted {
  /** New facts, in order, each with the dead letter it would become. */
  readonly facts: readonly { readonly fact: ConsumedFact; readonly letter: NewDeadLetter }[];
  /** New facts of parked keys. */
  readonly behind: readonly NewDeadLetter[];
  /** Records that are no facts. */
  readonly opaque: readonly NewDeadLetter[];
}

/** Tells apart what a batch holds, and drops what was received before, in another batch or in this one. */
export function sift(topic: string, records: readonly BusRecord[], { seen, parkedKeys }: Known): Sifted {
  const source = sourceOfTopic(topic);
  const facts: { fact: ConsumedFact; letter: NewDeadLetter }[] = [];
  const behind: NewDeadLetter[] = [];
  const opaque: NewDeadLetter[] = [];
  const here = new Set<number>();
  for (const record of records) {
    const fact = decoded(topic, record);
    if (fact instanceof Undecodable) {
      opaque.push({ source, topic, record, pos: undefined, reason: 'undecodable', detail: fact.message });
      continue;
    }
    const { pos } = fact;
    if (seen.has(pos) || here.has(pos)) continue;
    here.add(pos);
    if (parkedKeys.has(record.key))
      behind.push({ source, topic, record, pos, reason: 'behind', detail: 'its key is parked' });
    else facts.push({ fact, letter: { source, topic, record, pos, reason: 'failed', detail: '' } });
  }
  return { facts, behind, opaque };
}

function decoded(topic: string, record: BusRecord): ConsumedFact | Undecodable {
  try {
    return factOf(topic, record);
  } catch (error) {
    if (error instanceof Undecodable) return error;
    throw error;
  }
}
