import { setImmediate } from 'node:timers/promises';
import type { BusRecord } from './bus.js';
import { type ConsumedFact, factOf, Undecodable } from './cloud-event.js';
import type { Reactions } from './reactions.js';

/** A record with all that can be known of it before its transaction. */
export interface OpenedRecord {
  readonly record: BusRecord;
  readonly fact: ConsumedFact | Undecodable;
  readonly prepared: Prepared;
}

/** What a group's `prepareFact` made of a fact, or what it threw. */
export type Prepared = { readonly value: unknown } | { readonly failure: unknown };

/**
 * How many records are opened in one go, some milliseconds: the answers of the database wait meanwhile. With fewer, other
 * work of the process, whose goes are longer, comes in between too often and slows the batch down.
 */
const SLICE_RECORDS = 250;
const NOTHING: Prepared = { value: undefined };

/** Opens records in their order, and lets other work of this process in between. */
export async function openAll(
  topic: string,
  records: readonly BusRecord[],
  reactions: Reactions,
): Promise<OpenedRecord[]> {
  const opened: OpenedRecord[] = [];
  for (const record of records) {
    if (opened.length > 0 && opened.length % SLICE_RECORDS === 0) await setImmediate();
    opened.push(open(topic, record, reactions));
  }
  return opened;
}

export function open(topic: string, record: BusRecord, reactions: Reactions): OpenedRecord {
  try {
    const fact = factOf(topic, record);
    return { record, fact, prepared: prepared(fact, reactions) };
  } catch (error) {
    if (error instanceof Undecodable) return { record, fact: error, prepared: NOTHING };
    throw error;
  }
}

/** What `prepareFact` throws is the fact's failure, and is thrown when its turn has come. */
function prepared(fact: ConsumedFact, reactions: Reactions): Prepared {
  if (reactions.prepareFact === undefined) return NOTHING;
  try {
    return { value: reactions.prepareFact(fact) };
  } catch (failure) {
    return { failure };
  }
}
