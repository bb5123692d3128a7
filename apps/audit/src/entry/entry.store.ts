import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CopyRowWriter, type Database, type Tx } from '@writ/event-store';
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

/** What is entered, hashed, as the row it will be. */
export interface SealedEntry {
  readonly source: string;
  readonly pos: number;
  readonly leaf: Uint8Array;
  /** All of the row is in its place but index and link, which `place` writes. */
  readonly row: Buffer;
}

/** One call for many: asking for 16 bytes costs as much as asking for thousands. */
const SALTS_AHEAD = 256;

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

/** Below this, `got` is cheap to write each time. */
const GOT_BYTES_CHEAP = 8 * 1024;
const RECENT_BYTES_MAX = 128 * 1024;
const RECENT_IS_MERGED = `pg_column_size(s.got) < ${GOT_BYTES_CHEAP} or pg_column_size(s.recent) > ${RECENT_BYTES_MAX}`;

// The state's row is locked before the chain is computed and moved only from where it was read: a writer that
// has lost its lock, or never had one, moves nothing, and what it has entered is undone.
const moveSql = `
with moved as (
  update ledger.state set size = size + $3::int, chain = $4, epoch = epoch + 1
   where size = $1::bigint and epoch = $2::bigint returning size),
received as (
  insert into ledger.source as s (source, recent)
  select source, got::int8multirange from moved, unnest($5::text[], $6::text[]) as u(source, got) order by source
  on conflict (source) do update set
    got = case when ${RECENT_IS_MERGED} then s.got + (s.recent + excluded.recent) else s.got end,
    recent = case when ${RECENT_IS_MERGED} then '{}' else s.recent + excluded.recent end)
select from moved`;

// Index and link come first: with fields of one length before them, they are at the same place in every row.
const ENTRY_COLUMNS = `ledger.entry (idx, chain, leaf, salt, source, pos, event_id, type, at, actor, cause, stream_id,
  traceparent, record, payload, subject_ids, task)`;
const ENTRY_COLUMN_COUNT = 17;
/** Behind the number of columns and the length of this one. */
const INDEX_AT = 2 + 4;
const CHAIN_AT = INDEX_AT + 8 + 4;
const TWO_TO_32 = 2 ** 32;

/** The only writer of the ledger. Any number of processes may have one. */
@Injectable()
export class EntryAppend {
  private readonly listeners = new Set<() => void>();
  private ledgerId: string | undefined;
  private salts: Uint8Array = new Uint8Array(0);

  constructor(private readonly clock: Clock) {}

  /** Call it once, before the first entry. */
  async open(database: Database): Promise<void> {
    const { rows } = await database.query<{ ledger_id: string }>('select ledger_id from ledger.state');
    const [state] = rows;
    if (state === undefined) throw new Error('the ledger has no state row');
    this.ledgerId = state.ledger_id;
  }

  /**
   * Salts and hashes an entry. It needs no transaction: only the chain needs to know what comes before.
   * @throws RangeError for what no record can hold
   */
  seal(entry: NewEntry): SealedEntry {
    if (this.ledgerId === undefined) throw new Error('the ledger was not opened');
    if (this.salts.length === 0) this.salts = this.clock.randomBytes(SALTS_AHEAD * SALT_BYTES);
    const salt = this.salts.subarray(0, SALT_BYTES);
    this.salts = this.salts.subarray(SALT_BYTES);
    return sealed(this.ledgerId, entry, salt);
  }

  /**
   * Enters `entries` in their order, one behind the other, when `tx` commits. Until then every other writer
   * waits: append last.
   */
  async append(tx: Tx, entries: readonly SealedEntry[]): Promise<void> {
    if (entries.length === 0) return;
    for (const chunk of chunks(entries)) await enter(tx, chunk);
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
}

const writer = new CopyRowWriter();
const NO_CHAIN = new Uint8Array(DIGEST_BYTES);

function sealed(ledgerId: string, entry: NewEntry, salt: Uint8Array): SealedEntry {
  const { source, pos, payload } = entry;
  const record = encodeRecord(ledgerId, entry, payloadDigest(salt, payload, sha256));
  const leaf = leafOf(record, sha256);
  const row = writer
    .begin(ENTRY_COLUMN_COUNT)
    .int8(0)
    .bytea(NO_CHAIN)
    .bytea(leaf)
    .bytea(salt)
    .text(source)
    .int8(pos)
    .text(entry.eventId)
    .text(entry.type)
    .timestamptz(entry.atMs)
    .text(entry.actor)
    .text(entry.cause)
    .text(entry.streamId)
    .text(entry.traceparent)
    .bytea(record)
    .bytea(payload)
    .textArray(entry.subjectIds)
    .text(entry.task)
    .row();
  return { source, pos, leaf, row };
}

function place({ row }: SealedEntry, index: number, chain: Uint8Array): void {
  row.writeUInt32BE(Math.floor(index / TWO_TO_32), INDEX_AT);
  row.writeUInt32BE(index % TWO_TO_32, INDEX_AT + 4);
  row.set(chain, CHAIN_AT);
}

async function enter(tx: Tx, entries: readonly SealedEntry[]): Promise<void> {
  const { rows } = await tx.query<State>(
    'select size, chain, epoch from ledger.state for no key update',
    [],
    'ledger.state',
  );
  const [state] = rows;
  if (state === undefined) throw new Error('the ledger has no state row');
  const size = Number(state.size);
  let chain: Uint8Array = state.chain;
  for (const [at, entry] of entries.entries()) {
    chain = chainOf(chain, entry.leaf, sha256);
    place(entry, size + at, chain);
  }
  const move = [state.size, state.epoch, entries.length, Buffer.from(chain), ...received(entries)];
  const [moved, entered] = await Promise.all([
    tx.query(moveSql, move, 'ledger.move'),
    tx.copy(
      ENTRY_COLUMNS,
      entries.map(({ row }) => row),
    ),
  ]);
  if (moved.rowCount !== 1 || entered !== entries.length)
    throw new Error(`the ledger moved on from entry ${state.size} while it was locked here`);
}

/** The positions per source, as multiranges. */
function received(entries: readonly SealedEntry[]): [sources: string[], ranges: string[]] {
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

function* chunks(entries: readonly SealedEntry[]): Generator<SealedEntry[]> {
  let chunk: SealedEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const more = entry.row.length;
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
