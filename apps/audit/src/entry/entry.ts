/**
 * One leaf of the ledger, and how it is hashed.
 *
 * `record` is what is hashed: the protobuf message below, in its only allowed encoding (fields in ascending
 * order, fields with their default value left out, except `payload_digest`, which is always there and last).
 *
 * ```proto
 * message Record {
 *   uint32 v = 1;               // 1
 *   string ledger = 2;          // id of the ledger
 *   string source = 3;          // service whose fact it is
 *   uint64 pos = 4;             // its position there; 0 when unknown
 *   string event_id = 5;
 *   string type = 6;            // full message name, or `opaque`
 *   sint64 at_ms = 7;           // milliseconds since 1970
 *   string actor = 8;
 *   string cause = 9;
 *   string stream = 10;
 *   string traceparent = 11;
 *   bytes payload_digest = 12;  // SHA-256(salt of 16 bytes ‖ payload)
 * }
 * ```
 *
 * leaf = SHA-256(0x00 ‖ record), which is the leaf hash of RFC 6962 section 2.1;
 * chain_i = SHA-256(0x02 ‖ chain_{i-1} ‖ leaf_i), where chain_{-1} is 32 zero bytes. 0x02 keeps links apart
 * from leaves (0x00) and tree nodes (0x01).
 */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const RECORD_VERSION = 1;
/** The type of what could not be decoded, or what this program does not know. */
export const OPAQUE = 'opaque';
export const SALT_BYTES = 16;
export const DIGEST_BYTES = 32;
export const CHAIN_START: Uint8Array = new Uint8Array(DIGEST_BYTES);
/** Entry bundles of C2SP tlog-tiles count a record's bytes in 16 bits. */
export const RECORD_BYTES_MAX = 65_535;

/** What is known about a fact without opening it: all of it is in the hash. */
export interface Envelope {
  readonly source: string;
  /** Gapless from 1 in its source; 0 for a record whose position is unknown. */
  readonly pos: number;
  readonly eventId: string;
  readonly type: string;
  readonly atMs: number;
  readonly actor: string;
  readonly cause: string;
  readonly streamId: string;
  readonly traceparent: string;
}

/**
 * The digest stands for the payload in the record, so that a payload can be erased without breaking a proof.
 */
export function payloadDigest(salt: Uint8Array, payload: Uint8Array, sha256: Sha256): Uint8Array {
  return hashOf([salt, payload], sha256);
}

export function leafOf(record: Uint8Array, sha256: Sha256): Uint8Array {
  return hashOf([LEAF_PREFIX, record], sha256);
}

export function chainOf(before: Uint8Array, leaf: Uint8Array, sha256: Sha256): Uint8Array {
  return hashOf([CHAIN_PREFIX, before, leaf], sha256);
}

/** The payload digest inside a record; undefined for bytes that are no record. */
export function digestInRecord(record: Uint8Array): Uint8Array | undefined {
  const start = record.length - DIGEST_BYTES;
  return record[start - 2] === DIGEST_TAG && record[start - 1] === DIGEST_BYTES
    ? record.subarray(start)
    : undefined;
}

/**
 * @throws RangeError for a record of more than 65 535 bytes, a position that is none, or a time that is no
 *   whole number of
 *   milliseconds
 */
export function encodeRecord(ledgerId: string, envelope: Envelope, digest: Uint8Array): Uint8Array {
  const { source, pos, eventId, type, atMs, actor, cause, streamId, traceparent } = envelope;
  if (!Number.isSafeInteger(pos) || pos < 0) throw new RangeError(`\`${pos}\` is no position`);
  if (!Number.isSafeInteger(atMs)) throw new RangeError(`\`${atMs}\` is no time in milliseconds`);
  if (digest.length !== DIGEST_BYTES) throw new RangeError(`a digest of ${digest.length} bytes`);
  used = 0;
  integer(1, RECORD_VERSION);
  text(2, ledgerId);
  text(3, source);
  integer(4, pos);
  text(5, eventId);
  text(6, type);
  integer(7, zigZag(atMs));
  text(8, actor);
  text(9, cause);
  text(10, streamId);
  text(11, traceparent);
  bytes(12, digest);
  if (used > RECORD_BYTES_MAX)
    throw new RangeError(`a record of ${used} bytes; ${RECORD_BYTES_MAX} is the most`);
  return kept(scratch.subarray(0, used));
}

const utf8 = new TextEncoder();
const DIGEST_TAG = (12 << 3) | 2;
const LEAF_PREFIX = Uint8Array.of(0);
const CHAIN_PREFIX = Uint8Array.of(2);

// Tens of thousands of entries a second: what is hashed is put together here, and records are cut from one
// piece, because an allocation for each costs more than its hash. Nothing here outlives the function that
// writes it.
let scratch = new Uint8Array(4_096);
let used = 0;
let pool = new Uint8Array(0);
const POOL_BYTES = 64 * 1024;

function reserve(bytesMore: number): void {
  if (used + bytesMore <= scratch.length) return;
  const grown = new Uint8Array(Math.max(used + bytesMore, 2 * scratch.length));
  grown.set(scratch.subarray(0, used));
  scratch = grown;
}

function hashOf(parts: readonly Uint8Array[], sha256: Sha256): Uint8Array {
  used = 0;
  for (const part of parts) {
    reserve(part.length);
    scratch.set(part, used);
    used += part.length;
  }
  return sha256(scratch.subarray(0, used));
}

function kept(record: Uint8Array): Uint8Array {
  if (record.length > pool.length) pool = new Uint8Array(Math.max(POOL_BYTES, record.length));
  const place = pool.subarray(0, record.length);
  pool = pool.subarray(record.length);
  place.set(record);
  return place;
}

/**
 * Protobuf's order of signed numbers: 0, -1, 1, -2… As a bigint where doubling would leave the exact
 * integers.
 */
function zigZag(value: number): number | bigint {
  if (Math.abs(value) < 2 ** 51) return value < 0 ? -2 * value - 1 : 2 * value;
  const doubled = BigInt(value) * 2n;
  return value < 0 ? -doubled - 1n : doubled;
}

function integer(field: number, value: number | bigint): void {
  if (value === 0) return;
  reserve(12);
  byte(field << 3);
  varint(value);
}

function text(field: number, value: string): void {
  if (value === '') return;
  // A UTF-16 unit becomes 3 bytes at most.
  reserve(8 + 3 * value.length);
  byte((field << 3) | 2);
  // Written where a length of one byte would end, moved when it needs more.
  const start = used + 1;
  const { written } = utf8.encodeInto(value, scratch.subarray(start));
  if (written >= 128) scratch.copyWithin(start + varintBytes(written) - 1, start, start + written);
  varint(written);
  used += written;
}

function bytes(field: number, value: Uint8Array): void {
  reserve(8 + value.length);
  byte((field << 3) | 2);
  varint(value.length);
  scratch.set(value, used);
  used += value.length;
}

function varint(value: number | bigint): void {
  let rest = value;
  if (typeof rest === 'bigint') {
    for (; rest >= 128n; rest >>= 7n) byte(Number(rest & 127n) | 128);
  } else {
    for (; rest >= 128; rest = Math.floor(rest / 128)) byte((rest % 128) | 128);
  }
  byte(Number(rest));
}

function byte(value: number): void {
  scratch[used] = value;
  used += 1;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count += 1;
  return count;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
