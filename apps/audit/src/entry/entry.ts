/**
 * One leaf of the ledger, and how it is hashed.
 *
 * `record` is what is hashed: the protobuf message below, in its only allowed encoding (fields in ascending order, fields
 * with their default value left out, except `payload_digest`, which is always there and last).
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
 * chain_i = SHA-256(0x02 ‖ chain_{i-1} ‖ leaf_i), where chain_{-1} is 32 zero bytes. 0x02 keeps links apart from leaves
 * (0x00) and tree nodes (0x01).
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

/** The digest stands for the payload in the record, so that a payload can be erased without breaking a proof. */
export function payloadDigest(salt: Uint8Array, payload: Uint8Array, sha256: Sha256): Uint8Array {
  const salted = new Uint8Array(salt.length + payload.length);
  salted.set(salt);
  salted.set(payload, salt.length);
  return sha256(salted);
}

export function leafOf(record: Uint8Array, sha256: Sha256): Uint8Array {
  const leaf = new Uint8Array(1 + record.length);
  leaf.set(record, 1);
  return sha256(leaf);
}

export function chainOf(before: Uint8Array, leaf: Uint8Array, sha256: Sha256): Uint8Array {
  const link = new Uint8Array(1 + 2 * DIGEST_BYTES);
  link[0] = 2;
  link.set(before, 1);
  link.set(leaf, 1 + DIGEST_BYTES);
  return sha256(link);
}

/** The payload digest inside a record; undefined for bytes that are no record. */
export function digestInRecord(record: Uint8Array): Uint8Array | undefined {
  const start = record.length - DIGEST_BYTES;
  return record[start - 2] === DIGEST_TAG && record[start - 1] === DIGEST_BYTES
    ? record.subarray(start)
    : undefined;
}

/**
 * @throws RangeError for a record of more than 65 535 bytes, a position that is none, or a time that is no whole number of
 *   milliseconds
 */
export function encodeRecord(ledgerId: string, envelope: Envelope, digest: Uint8Array): Uint8Array {
  const { source, pos, eventId, type, atMs, actor, cause, streamId, traceparent } = envelope;
  if (!Number.isSafeInteger(pos) || pos < 0) throw new RangeError(`\`${pos}\` is no position`);
  if (!Number.isSafeInteger(atMs)) throw new RangeError(`\`${atMs}\` is no time in milliseconds`);
  if (digest.length !== DIGEST_BYTES) throw new RangeError(`a digest of ${digest.length} bytes`);
  const writer = new RecordWriter();
  writer.integer(1, RECORD_VERSION);
  writer.text(2, ledgerId);
  writer.text(3, source);
  writer.integer(4, pos);
  writer.text(5, eventId);
  writer.text(6, type);
  writer.integer(7, zigZag(atMs));
  writer.text(8, actor);
  writer.text(9, cause);
  writer.text(10, streamId);
  writer.text(11, traceparent);
  return writer.finish(digest);
}

const utf8 = new TextEncoder();
const DIGEST_TAG = (12 << 3) | 2;

/** Protobuf's order of signed numbers: 0, -1, 1, -2… As a bigint where doubling would leave the exact integers. */
function zigZag(value: number): number | bigint {
  const doubled = BigInt(value) * 2n;
  const mapped = value < 0 ? -doubled - 1n : doubled;
  return mapped <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(mapped) : mapped;
}

class RecordWriter {
  private bytes = new Uint8Array(1024);
  private length = 0;

  integer(field: number, value: number | bigint): void {
    if (value === 0 || value === 0n) return;
    this.reserve(12);
    this.byte(field << 3);
    this.varint(value);
  }

  text(field: number, value: string): void {
    if (value === '') return;
    // A UTF-16 unit becomes 3 bytes at most.
    this.reserve(8 + 3 * value.length);
    this.byte((field << 3) | 2);
    // Written where a length of one byte would end, moved when it needs more.
    const start = this.length + 1;
    const { written } = utf8.encodeInto(value, this.bytes.subarray(start));
    if (written >= 128) this.bytes.copyWithin(start + varintBytes(written) - 1, start, start + written);
    this.varint(written);
    this.length += written;
  }

  finish(digest: Uint8Array): Uint8Array {
    this.reserve(2 + DIGEST_BYTES);
    this.byte(DIGEST_TAG);
    this.byte(DIGEST_BYTES);
    this.bytes.set(digest, this.length);
    this.length += DIGEST_BYTES;
    if (this.length > RECORD_BYTES_MAX)
      throw new RangeError(`a record of ${this.length} bytes; ${RECORD_BYTES_MAX} is the most`);
    return this.bytes.slice(0, this.length);
  }

  private varint(value: number | bigint): void {
    let rest = value;
    if (typeof rest === 'bigint') {
      for (; rest >= 128n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    } else {
      for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    }
    this.byte(Number(rest));
  }

  private byte(value: number): void {
    this.bytes[this.length] = value;
    this.length += 1;
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
