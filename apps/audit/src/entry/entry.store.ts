import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Tx } from '@writ/event-store';
import { Clock } from '@writ/service';
import { Positions } from '../source/range.js';
import {
  chainOf,
  DIGEST_BYTES,
  type Envelope,
  encodeRecord,
  leafOf,
  payloadDigest,
  SALT_BYTES,
} from './entry.js';

/** What is entered, before it has a place. */
export interface NewEntry extends Envelope {
  readonly payload: Uint8Array;
  readonly subjectIds: readonly string[];
  readonly task: string;
}

interface Sealed extends NewEntry {
  readonly salt: Uint8Array;
  readonly record: Uint8Array;
  readonly leaf: Uint8Array;
}

interface State {
  readonly size: string;
  readonly chain: Buffer;
  readonly epoch: string;
}

/** What one statement may carry. */
const STATEMENT_ENTRIES_MAX = 2_000;
const STATEMENT_BYTES_MAX = 8 * 1024 * 1024;

/** By way of a string: a digest as a buffer of its own costs twice the hash. */
export const sha256 = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');

// The state's row is locked before the chain is computed and moved only from where it was read: a writer that
// has lost its lock, or never had one, moves nothing and enters nothing. All bytes travel as one value, `$6`;
// `start` is where an entry's begin: leaf, chain, salt, record, payload.
const appendSql = `
with moved as (
  update ledger.state set size = size + cardinality($7::int[]), chain = $3, epoch = epoch + 1
   where size = $1::bigint and epoch = $2::bigint returning size),
received as (
  insert into ledger.source as s (source, got)
  select source, got::int8multirange from unnest($4::text[], $5::text[]) as u(source, got) order by source
  on conflict (source) do update set got = s.got + excluded.got)
insert into ledger.entry (idx, leaf, chain, salt, record, payload, source, pos, event_id, type, at, actor,
  cause, stream_id, traceparent, subject_ids, task)
select $1::bigint + ord - 1, substring($6::bytea from start for 32), substring($6 from start + 32 for 32),
  substring($6 from start + 64 for 16), substring($6 from start + 80 for record),
  substring($6 from start + 80 + record for payload), source, pos, event_id, type,
  timestamptz 'epoch' + at_ms * interval '1 millisecond', actor, cause, stream_id, traceparent,
  string_to_array(subject_ids, ' '), task
from moved, unnest($7::int[], $8::int[], $9::int[], $10::text[], $11::bigint[], $12::text[], $13::text[],
  $14::float8[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[])
  with ordinality as u(start, record, payload, source, pos, event_id, type, at_ms, actor, cause, stream_id,
    traceparent, subject_ids, task, ord)`;

/** The only writer of the ledger. Any number of processes may have one. */
@Injectable()
export class EntryAppend {
  private readonly listeners = new Set<() => void>();
  private ledgerId: string | undefined;

  constructor(private readonly clock: Clock) {}

  /**
   * Enters `entries` in their order, one behind the other, when `tx` commits. Until then every other writer
   * waits: append last.
   */
  async append(tx: Tx, entries: readonly NewEntry[]): Promise<void> {
    if (entries.length === 0) return;
    // Hashed before the lock is taken: only the chain needs to know what comes before.
    const ledgerId = await this.identity(tx);
    const salts = this.clock.randomBytes(SALT_BYTES * entries.length);
    const sealed = entries.map((entry, at) =>
      seal(ledgerId, entry, salts.subarray(at * SALT_BYTES, (at + 1) * SALT_BYTES)),
    );
    for (const chunk of chunks(sealed)) await enter(tx, chunk);
    tx.afterCommit(() => {
      for (const wake of this.listeners) wake();
    });
  }

  /**
   * Calls `wake` in this process after each commit with entries. Answers how to stop. `wake` MUST NOT throw.
   */
  onAppend(wake: () => void): () => void {
    this.listeners.add(wake);
    return () => this.listeners.delete(wake);
  }

  private async identity(tx: Tx): Promise<string> {
    if (this.ledgerId === undefined) {
      const { rows } = await tx.query<{ ledger_id: string }>('select ledger_id from ledger.state');
      const [state] = rows;
      if (state === undefined) throw new Error('the ledger has no state row');
      this.ledgerId = state.ledger_id;
    }
    return this.ledgerId;
  }
}

function seal(ledgerId: string, entry: NewEntry, salt: Uint8Array): Sealed {
  const record = encodeRecord(ledgerId, entry, payloadDigest(salt, entry.payload, sha256));
  return { ...entry, salt, record, leaf: leafOf(record, sha256) };
}

async function enter(tx: Tx, entries: readonly Sealed[]): Promise<void> {
  const { rows } = await tx.query<State>(
    'select size, chain, epoch from ledger.state for no key update',
    [],
    'ledger.state',
  );
  const [state] = rows;
  if (state === undefined) throw new Error('the ledger has no state row');
  const chains: Uint8Array[] = [];
  let chain: Uint8Array = state.chain;
  for (const { leaf } of entries) {
    chain = chainOf(chain, leaf, sha256);
    chains.push(chain);
  }
  const entered = await tx.query(
    appendSql,
    [state.size, state.epoch, Buffer.from(chain), ...received(entries), ...columns(entries, chains)],
    'ledger.append',
  );
  if (entered.rowCount !== entries.length)
    throw new Error(`the ledger moved on from entry ${state.size} while it was locked here`);
}

function columns(entries: readonly Sealed[], chains: readonly Uint8Array[]): unknown[] {
  const blob = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + bytesOf(entry), 0));
  const starts: number[] = [];
  let end = 0;
  for (const [at, entry] of entries.entries()) {
    starts.push(end + 1);
    for (const part of [entry.leaf, chains[at] as Uint8Array, entry.salt, entry.record, entry.payload]) {
      blob.set(part, end);
      end += part.length;
    }
  }
  const numbers = (of: (entry: Sealed) => number) => `{${entries.map(of).join()}}`;
  const texts = (of: (entry: Sealed) => string) => `{${entries.map((entry) => quoted(of(entry))).join()}}`;
  return [
    blob,
    `{${starts.join()}}`,
    numbers(({ record }) => record.length),
    numbers(({ payload }) => payload.length),
    texts(({ source }) => source),
    numbers(({ pos }) => pos),
    texts(({ eventId }) => eventId),
    texts(({ type }) => type),
    numbers(({ atMs }) => atMs),
    texts(({ actor }) => actor),
    texts(({ cause }) => cause),
    texts(({ streamId }) => streamId),
    texts(({ traceparent }) => traceparent),
    texts(({ subjectIds }) => subjectIds.join(' ')),
    texts(({ task }) => task),
  ];
}

function bytesOf({ leaf, salt, record, payload }: Sealed): number {
  return leaf.length + DIGEST_BYTES + salt.length + record.length + payload.length;
}

/** An element of a PostgreSQL array. */
function quoted(text: string): string {
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`;
}

/** The positions per source, as multiranges. */
function received(entries: readonly Sealed[]): [sources: string[], ranges: string[]] {
  const bySource = new Map<string, Positions>();
  for (const { source, pos } of entries) {
    if (pos === 0) continue;
    const positions = bySource.get(source) ?? new Positions();
    bySource.set(source, positions);
    positions.add(pos);
  }
  const ranges = [...bySource.values()].map((positions) => positions.multirange());
  return [[...bySource.keys()], ranges];
}

function* chunks(entries: readonly Sealed[]): Generator<Sealed[]> {
  let chunk: Sealed[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const more = entry.payload.length + entry.record.length;
    if (chunk.length === STATEMENT_ENTRIES_MAX || (chunk.length > 0 && bytes + more > STATEMENT_BYTES_MAX)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(entry);
    bytes += more;
  }
  if (chunk.length > 0) yield chunk;
}
