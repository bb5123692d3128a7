import { createHash } from 'node:crypto';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from '@jest/globals';
import {
  CHAIN_START,
  chainOf,
  digestInRecord,
  type Envelope,
  encodeRecord,
  leafOf,
  payloadDigest,
} from './entry.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const envelope: Envelope = {
  source: 'registry',
  pos: 300,
  eventId: '0199-event',
  type: 'writ.registry.v1.AgentSuspended',
  atMs: 1_788_253_200_123,
  actor: 'psn_01K41M7JG0000000000000TEST',
  cause: 'fact:approvals/7',
  streamId: `agent-${'ü'.repeat(100)}`,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const digest = sha256(Buffer.from('a payload'));
const record = (over: Partial<Envelope> = {}) => encodeRecord('ledger-1', { ...envelope, ...over }, digest);

/** Field number to value, read by a foreign protobuf reader. */
function fieldsOf(bytes: Uint8Array): [number, unknown][] {
  const reader = new BinaryReader(bytes);
  const fields: [number, unknown][] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 7) fields.push([field, Number(reader.sint64())]);
    else if (field === 12) fields.push([field, Buffer.from(reader.bytes())]);
    else fields.push([field, wireType === 0 ? Number(reader.uint64()) : reader.string()]);
  }
  return fields;
}

describe('the record of an entry', () => {
  it('is the protobuf message that its description says, fields in order', () => {
    expect(fieldsOf(record())).toEqual([
      [1, 1],
      [2, 'ledger-1'],
      [3, envelope.source],
      [4, envelope.pos],
      [5, envelope.eventId],
      [6, envelope.type],
      [7, envelope.atMs],
      [8, envelope.actor],
      [9, envelope.cause],
      [10, envelope.streamId],
      [11, envelope.traceparent],
      [12, digest],
    ]);
  });

  it('has one encoding: defaults are left out, the digest never is', () => {
    const bare = { source: '', pos: 0, eventId: '', type: '', atMs: 0, actor: '', cause: '', streamId: '' };
    expect(fieldsOf(encodeRecord('', { ...bare, traceparent: '' }, digest))).toEqual([
      [1, 1],
      [12, digest],
    ]);
  });

  it('differs whenever anything in the envelope or the ledger differs', () => {
    const others = [
      encodeRecord('ledger-2', envelope, digest),
      encodeRecord('ledger-1', envelope, sha256(digest)),
      record({ source: 'vault' }),
      record({ pos: 301 }),
      record({ eventId: 'other' }),
      record({ type: 'opaque' }),
      record({ atMs: envelope.atMs + 1 }),
      record({ actor: envelope.cause, cause: envelope.actor }),
      record({ cause: '' }),
      record({ streamId: `${envelope.streamId}1` }),
      record({ traceparent: '' }),
    ].map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set([...others, Buffer.from(record()).toString('hex')]).size).toBe(others.length + 1);
  });

  it.each([[0], [-1], [1], [-62_135_596_800_000], [8_640_000_000_000_000], [-8_640_000_000_000_000]])(
    'says the time %d exactly',
    (atMs) => {
      expect(new Map(fieldsOf(record({ atMs }))).get(7) ?? 0).toBe(atMs);
    },
  );

  it('is refused for a position or time that is none, and beyond 64 KiB', () => {
    expect(() => record({ pos: -1 })).toThrow(RangeError);
    expect(() => record({ pos: 2 ** 53 })).toThrow(RangeError);
    expect(() => record({ atMs: Number.NaN })).toThrow(RangeError);
    expect(() => record({ streamId: 'x'.repeat(65_536) })).toThrow('65535 is the most');
  });

  it('gives its payload digest back', () => {
    expect(Buffer.from(digestInRecord(record()) ?? [])).toEqual(digest);
    expect(digestInRecord(new Uint8Array(40))).toBeUndefined();
    expect(digestInRecord(new Uint8Array(3))).toBeUndefined();
  });
});

describe('the hashes of an entry', () => {
  it('salt the payload', () => {
    const salt = Buffer.alloc(16, 7);
    const payload = Buffer.from('a fact');
    expect(payloadDigest(salt, payload, sha256)).toEqual(sha256(Buffer.concat([salt, payload])));
  });

  it('are the leaf hash of RFC 6962 and a chain that starts from zeroes', () => {
    const bytes = record();
    const leaf = leafOf(bytes, sha256);
    expect(leaf).toEqual(sha256(Buffer.concat([Buffer.from([0]), bytes])));
    const first = chainOf(CHAIN_START, leaf, sha256);
    expect(first).toEqual(sha256(Buffer.concat([Buffer.from([2]), Buffer.alloc(32), leaf])));
    expect(chainOf(first, leaf, sha256)).toEqual(sha256(Buffer.concat([Buffer.from([2]), first, leaf])));
  });
});
