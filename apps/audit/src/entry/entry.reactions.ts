import { Injectable } from '@nestjs/common';
import { type ConsumedFact, type OpaqueRecord, Reactions } from '@writ/event-bus';
import type { Database, Tx } from '@writ/event-store';
import { base64Url, type Call, canonicalJson, type Json } from '@writ/kernel';
import { Clock, type ServiceName } from '@writ/service';
import { openFact, storedSubjectsOf } from './entry.facts.js';
import { OPAQUE } from './entry.js';
import { EntryAppend, type NewEntry, type SealedEntry } from './entry.store.js';

/** Every service that records facts. */
export const ledgerSources = [
  'registry',
  'session-broker',
  'policy-engine',
  'approvals',
  'vault',
] as const satisfies readonly ServiceName[];

/**
 * Longest text of an envelope that is entered as it is; with seven of them a record stays far below 64 KiB.
 */
const ENVELOPE_TEXT_MAX = 1_024;

/**
 * Each fact of each service becomes one entry, whatever it says: audit understands facts, it does not judge
 * them.
 */
@Injectable()
export class EntryReactions extends Reactions<SealedEntry> {
  override readonly group = 'audit.ledger';
  override readonly sources = ledgerSources;

  constructor(
    private readonly entries: EntryAppend,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async begin(database: Database): Promise<void> {
    await this.entries.open(database);
  }

  override prepareFact(fact: ConsumedFact): SealedEntry {
    return this.entries.seal(entryOf(fact));
  }

  override async handle(_fact: ConsumedFact, tx: Tx, _call: Call, entry: SealedEntry): Promise<void> {
    await this.entries.append(tx, [entry]);
  }

  override async handleBatch(
    _facts: readonly ConsumedFact[],
    tx: Tx,
    _callFor: unknown,
    entries: readonly SealedEntry[],
  ): Promise<void> {
    await this.entries.append(tx, entries);
  }

  /** What is no fact is entered as well: somebody wrote to a topic of facts, and that has to be seen. */
  override async handleOpaque(record: OpaqueRecord, tx: Tx): Promise<void> {
    const { source, topic, partition, offset, key, headers, value, reason } = record;
    const payload = opaquePayload({ key, headers, reason, value: base64Url(value) });
    const entry = this.entries.seal({
      ...opaqueEnvelope,
      source,
      pos: 0,
      eventId: `${topic}/${partition}/${offset}`,
      atMs: this.clock.now().getTime(),
      payload,
    });
    await this.entries.append(tx, [entry]);
  }
}

const opaqueEnvelope = {
  type: OPAQUE,
  actor: '',
  cause: '',
  streamId: '',
  traceparent: '',
  subjectIds: [],
  task: '',
} as const;

/**
 * A fact of a type or form that this program does not know is entered with its bytes and everything else it
 * came with.
 */
export function entryOf(fact: ConsumedFact): NewEntry {
  const { source, pos, id, at, fullType, actor, cause, streamId, traceparent, data } = fact;
  const texts = { actor, cause, streamId, traceparent };
  const place = { source, pos, eventId: id, atMs: at.getTime() };
  const opened = openFact(fullType, data);
  const clean = Object.values(texts).every(isClean);
  if (opened === undefined || !clean) {
    const value = base64Url(data);
    const payload = opaquePayload(
      clean ? { type: fullType, value } : { type: fullType, value, envelope: texts },
    );
    return { ...opaqueEnvelope, ...(clean ? texts : {}), ...place, payload };
  }
  const { ids, task } = storedSubjectsOf(opened);
  return { ...place, ...texts, type: fullType, payload: data, subjectIds: ids, task };
}

/** The bytes of an opaque entry: canonical JSON of all that came, with the value as base64url. */
function opaquePayload(content: Json): Uint8Array {
  return Buffer.from(canonicalJson(content));
}

function isClean(text: string): boolean {
  return text.length <= ENVELOPE_TEXT_MAX && !text.includes('\u0000') && text.isWellFormed();
}
