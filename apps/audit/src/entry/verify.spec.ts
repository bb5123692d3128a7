import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { CHAIN_START, chainOf, encodeRecord, leafOf, payloadDigest } from './entry.js';
import { type Fault, type LedgerRow, type SourceSets, type VerifyOptions, verifyLedger } from './verify.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const ledgerId = 'a-ledger';

/** A true ledger of `size` entries. The payload of each names its subject. */
function ledgerOf(size: number): LedgerRow[] {
  const rows: LedgerRow[] = [];
  let chain: Uint8Array = CHAIN_START;
  for (let index = 0; index < size; index += 1) {
    const payload = Buffer.from(`subject-${index}`);
    const salt = Buffer.alloc(16, index);
    const envelope = {
      source: 'registry',
      pos: index + 1,
      eventId: `event-${index}`,
      type: 'writ.registry.v1.AgentSuspended',
      atMs: 1_788_253_200_000 + index,
      actor: 'psn_somebody',
      cause: '',
      streamId: `agent-${index}`,
      traceparent: '',
    };
    const record = encodeRecord(ledgerId, envelope, payloadDigest(salt, payload, sha256));
    const leaf = leafOf(record, sha256);
    chain = chainOf(chain, leaf, sha256);
    const subjectIds = [`subject-${index}`];
    rows.push({ ...envelope, index, leaf, chain, record, payload, salt, subjectIds, task: '' });
  }
  return rows;
}

class Sets implements SourceSets {
  private readonly found = new Set<number>();
  constructor(private readonly recorded: number) {}
  add(_source: string, pos: number): boolean {
    if (this.found.has(pos)) return false;
    this.found.add(pos);
    return true;
  }
  differences(): string[] {
    return this.found.size === this.recorded ? [] : [`${this.found.size} found, ${this.recorded} recorded`];
  }
}

async function* paged(rows: readonly LedgerRow[]): AsyncGenerator<readonly LedgerRow[]> {
  for (let at = 0; at < rows.length; at += 4) yield rows.slice(at, at + 4);
}

const truth = ledgerOf(12);

async function verified(rows: readonly LedgerRow[], over: Partial<VerifyOptions> = {}) {
  const progress: { checked: number; done: boolean }[] = [];
  const faults: Fault[] = [];
  const options: VerifyOptions = {
    rows: paged(rows),
    ledgerId,
    size: truth.length,
    chain: truth.at(-1)?.chain ?? CHAIN_START,
    from: 0,
    chainBefore: CHAIN_START,
    sha256,
    subjects: (_type, payload) => ({ ids: [Buffer.from(payload).toString()], task: '' }),
    sources: new Sets(truth.length),
    ...over,
  };
  for await (const step of verifyLedger(options)) {
    progress.push({ checked: step.checked, done: step.done });
    faults.push(...step.faults);
  }
  return { progress, faults: faults.map(({ index, kind }) => [index, kind]) };
}

/** The ledger with entry 5 altered. */
function altered(change: (row: LedgerRow) => Partial<LedgerRow>, at = 5): LedgerRow[] {
  return truth.map((row) => (row.index === at ? { ...row, ...change(row) } : row));
}

/** The bytes with the lowest bit of the byte at `place` flipped; counted from the end when negative. */
function flipped(bytes: Uint8Array | undefined, place: number): Uint8Array {
  const copy = Buffer.from(bytes ?? []);
  const at = place < 0 ? copy.length + place : place;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe('a ledger', () => {
  it('verifies when nobody touched it, and says how far it has come', async () => {
    const { faults, progress } = await verified(truth);
    expect(faults).toEqual([]);
    expect(progress.map(({ checked }) => checked)).toEqual([4, 8, 12, 12]);
    expect(progress.map(({ done }) => done)).toEqual([false, false, false, true]);
  });

  it('verifies from an entry in the middle, and when it is empty', async () => {
    const chainBefore = truth[6]?.chain as Uint8Array;
    const part = await verified(truth.slice(7), { from: 7, chainBefore, sources: undefined });
    expect(part.faults).toEqual([]);
    expect((await verified([], { size: 0, chain: CHAIN_START, sources: new Sets(0) })).faults).toEqual([]);
  });

  it('verifies without a payload that was erased with its salt', async () => {
    expect((await verified(altered(() => ({ payload: undefined, salt: undefined })))).faults).toEqual([]);
  });

  it.each<[string, (row: LedgerRow) => Partial<LedgerRow>, string]>([
    ['payload', ({ payload }) => ({ payload: flipped(payload, 0) }), 'payload'],
    ['salt', ({ salt }) => ({ salt: flipped(salt, 3) }), 'payload'],
    ['salt alone is gone', () => ({ salt: undefined }), 'payload'],
    ['record', ({ record }) => ({ record: flipped(record, 20) }), 'record'],
    ['digest in the record', ({ record }) => ({ record: flipped(record, -1) }), 'record'],
    ['end of the record', ({ record }) => ({ record: record.slice(0, 10) }), 'record'],
    ['leaf', ({ leaf }) => ({ leaf: flipped(leaf, 0) }), 'leaf'],
    ['chain', ({ chain }) => ({ chain: flipped(chain, 31) }), 'chain'],
    ['actor', () => ({ actor: 'psn_another' }), 'record'],
    ['time', ({ atMs }) => ({ atMs: atMs - 1 }), 'record'],
    ['time within a millisecond', ({ atMs }) => ({ atMs: atMs + 0.5 }), 'record'],
    ['type', () => ({ type: 'opaque' }), 'record'],
    ['cause', () => ({ cause: 'fact:vault/1' }), 'record'],
    ['event id', () => ({ eventId: 'event-6' }), 'record'],
    ['stream', () => ({ streamId: 'agent-6' }), 'record'],
    ['trace', () => ({ traceparent: '00-1-1-01' }), 'record'],
    ['subjects', () => ({ subjectIds: [] }), 'record'],
    ['task', () => ({ task: 'another' }), 'record'],
  ])('names entry and kind when its %s was altered, and nothing else', async (_what, change, kind) => {
    const own = (await verified(altered(change))).faults;
    // A payload or type that does not open gives other subjects: still the same entry.
    expect(own.every(([index]) => index === 5)).toBe(true);
    expect(own.map(([, found]) => found)).toContain(kind);
    expect((await verified(altered(change, 11))).faults.map(([index]) => index)).toContain(11);
  });

  it.each(['leaf', 'chain', 'record'] as const)('says one fault for one altered byte in %s', async (part) => {
    const change = (row: LedgerRow) => ({ [part]: flipped(row[part], 8) });
    expect((await verified(altered(change))).faults).toEqual([[5, part]]);
    expect((await verified(altered(change, 0))).faults).toEqual([[0, part]]);
  });

  it('names the entry behind one that was replaced as a whole, hashes and all', async () => {
    const other = ledgerOf(12).map((row) => ({ ...row }));
    const before = other[4] as LedgerRow;
    const row = { ...(other[5] as LedgerRow), actor: 'psn_another' };
    const digest = payloadDigest(row.salt as Uint8Array, row.payload as Uint8Array, sha256);
    const record = encodeRecord(ledgerId, row, digest);
    const leaf = leafOf(record, sha256);
    other[5] = { ...row, record, leaf, chain: chainOf(before.chain, leaf, sha256) };
    expect((await verified(other)).faults).toEqual([[6, 'chain']]);
  });

  it('names the first of the entries that were taken out of the middle', async () => {
    const rows = truth.filter(({ index }) => index !== 5 && index !== 6);
    expect((await verified(rows)).faults).toEqual([
      [5, 'missing'],
      [-1, 'source'],
    ]);
  });

  it('names the first of the entries that were cut off at the end', async () => {
    expect((await verified(truth.slice(0, 9))).faults).toEqual([
      [9, 'missing'],
      [-1, 'source'],
    ]);
  });

  it('names the first entry that is missing from the beginning', async () => {
    expect((await verified(truth.slice(2))).faults).toContainEqual([0, 'missing']);
  });

  it('is found out when head and entries were rolled back together but not the sources', async () => {
    const rows = truth.slice(0, 9);
    const { faults } = await verified(rows, { size: 9, chain: rows[8]?.chain as Uint8Array });
    expect(faults).toEqual([[-1, 'source']]);
  });

  it('has a head of its own size and chain', async () => {
    expect((await verified(truth, { size: 11 })).faults).toEqual([[-1, 'head']]);
    expect((await verified(truth, { chain: flipped(truth[11]?.chain, 0) })).faults).toEqual([[-1, 'head']]);
  });

  it('holds no position twice, and no entry twice', async () => {
    const again = { ...(truth[3] as LedgerRow), index: 12, pos: 3 };
    const { faults } = await verified([...truth, again], { size: 13 });
    expect(faults).toContainEqual([12, 'source']);
    expect((await verified([...truth, truth[3] as LedgerRow])).faults).toEqual([[3, 'record']]);
  });

  it('of another id is not this one', async () => {
    const { faults } = await verified(truth, { ledgerId: 'another' });
    expect(faults).toHaveLength(12);
    expect(faults[0]).toEqual([0, 'record']);
  });

  it('tells a hundred faults and stops', async () => {
    const rows = ledgerOf(150).map((row) => ({ ...row, actor: 'psn_another' }));
    const { faults, progress } = await verified(rows, { size: 150 });
    expect(faults).toHaveLength(100);
    expect(progress.at(-1)?.done).toBe(true);
  });
});
