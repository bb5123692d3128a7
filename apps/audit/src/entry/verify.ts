import {
  CHAIN_START,
  chainOf,
  digestInRecord,
  type Envelope,
  encodeRecord,
  leafOf,
  payloadDigest,
  type Sha256,
  sameBytes,
} from './entry.js';
import type { Subjects } from './subject.js';

/** One entry as some copy of the ledger holds it. Nothing in it is believed. */
export interface LedgerRow extends Envelope {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly chain: Uint8Array;
  readonly record: Uint8Array;
  /** Both are absent once the payload was erased. */
  readonly payload: Uint8Array | undefined;
  readonly salt: Uint8Array | undefined;
  readonly subjectIds: readonly string[];
  readonly task: string;
}

export type FaultKind = 'leaf' | 'chain' | 'payload' | 'record' | 'missing' | 'head' | 'source';

export interface Fault {
  /** -1 when the fault has no single entry. */
  readonly index: number;
  readonly kind: FaultKind;
  readonly description: string;
}

/** A set of positions per source; `source/range.ts` supplies it. */
export interface SourceSets {
  /** False when this position of this source was there before. */
  add(source: string, pos: number): boolean;
  /** Where the positions added differ from what the copy says it has received. */
  differences(): readonly string[];
}

export interface VerifyOptions {
  /** In ascending order of index, from `from` on. */
  readonly rows: AsyncIterable<readonly LedgerRow[]>;
  readonly ledgerId: string;
  /** What the copy says of itself. */
  readonly size: number;
  readonly chain: Uint8Array;
  readonly from: number;
  /** The chain value before `from`, believed; `CHAIN_START` when `from` is 0. */
  readonly chainBefore: Uint8Array;
  readonly sha256: Sha256;
  /** What a payload of a type is about; undefined for a type that is unknown. */
  subjects(type: string, payload: Uint8Array): Subjects | undefined;
  /** Left out when only a part is verified: then completeness cannot be told. */
  readonly sources?: SourceSets;
  /** More are counted, not told; 100 unless given. */
  readonly faultsMax?: number;
}

export interface Progress {
  readonly checked: number;
  readonly faults: readonly Fault[];
  readonly done: boolean;
  readonly chain: Uint8Array;
}

/**
 * Recomputes everything from the columns and names each fault. One altered byte is one fault, at its entry:
 * after a fault the check goes on from what is plausible. Works on any copy: a server, a database, a file.
 */
export async function* verifyLedger(options: VerifyOptions): AsyncGenerator<Progress, void> {
  const verifier = new Verifier(options);
  for await (const rows of options.rows) {
    for (const row of rows) verifier.row(row);
    yield verifier.progress(false);
    if (verifier.full) return yield verifier.progress(true);
  }
  verifier.end();
  yield verifier.progress(true);
}

class Verifier {
  private readonly faultsMax: number;
  private readonly found: Fault[] = [];
  private readonly untold: Fault[] = [];
  private next: number;
  private checked = 0;
  /**
   * Chain values from which the next entry may go on: the recomputed one and, where they differ, the stored
   * one.
   */
  private anchors: readonly Uint8Array[];

  constructor(private readonly options: VerifyOptions) {
    this.faultsMax = options.faultsMax ?? 100;
    this.next = options.from;
    this.anchors = [options.from === 0 ? CHAIN_START : options.chainBefore];
  }

  get full(): boolean {
    return this.found.length >= this.faultsMax;
  }

  row(row: LedgerRow): void {
    if (this.full) return;
    if (row.index < this.next) {
      this.fault(row.index, 'record', 'the entry is there twice, or out of its place');
      return;
    }
    if (row.index > this.next) {
      this.missing(this.next, row.index - 1);
      this.anchors = [];
    }
    this.next = row.index + 1;
    this.checked += 1;
    this.chain(row, this.content(row));
    const { sources } = this.options;
    if (sources && row.pos > 0 && !sources.add(row.source, row.pos))
      this.fault(row.index, 'source', `\`${row.source}\` position ${row.pos} is in the ledger twice`);
  }

  /** After the last row. */
  end(): void {
    const { size, chain, sources } = this.options;
    if (this.next < size) this.missing(this.next, size - 1);
    else if (this.next > size)
      this.fault(-1, 'head', `the ledger says it has ${size} entries, ${this.next} are there`);
    else if (!this.anchors.some((anchor) => sameBytes(anchor, chain)))
      this.fault(-1, 'head', 'the chain value of the head is not that of the newest entry');
    for (const difference of sources?.differences() ?? []) this.fault(-1, 'source', difference);
  }

  progress(done: boolean): Progress {
    const faults = this.untold.splice(0);
    return { checked: this.checked, faults, done, chain: this.anchors[0] ?? CHAIN_START };
  }

  private missing(first: number, last: number): void {
    const what = first === last ? `entry ${first} is missing` : `entries ${first} to ${last} are missing`;
    this.fault(first, 'missing', what);
  }

  /**
   * Checks record, payload and leaf; answers the leaf to go on with. Where two disagree, the chain says which
   * is true.
   */
  private content(row: LedgerRow): Uint8Array {
    const { sha256 } = this.options;
    const computed = leafOf(row.record, sha256);
    const intact = sameBytes(computed, row.leaf);
    if (!intact && this.continues(row.leaf, row)) {
      this.fault(row.index, 'record', 'the record is not the one that was hashed');
      this.rebuilt(row);
      return row.leaf;
    }
    if (!intact) this.fault(row.index, 'leaf', 'the leaf is not the hash of the record');
    this.faultIf(row.index, 'record', this.wrongColumns(row));
    this.faultIf(row.index, 'payload', this.wrongPayload(row));
    return !intact && this.continues(computed, row) ? computed : row.leaf;
  }

  private continues(leaf: Uint8Array, { chain }: LedgerRow): boolean {
    return this.anchors.some((anchor) => sameBytes(chainOf(anchor, leaf, this.options.sha256), chain));
  }

  /** The record is lost; columns and payload still prove themselves when they make one with the true leaf. */
  private rebuilt(row: LedgerRow): void {
    const { sha256, ledgerId } = this.options;
    const { index, payload, salt, leaf } = row;
    if (payload === undefined || salt === undefined) return;
    const record = recordOf(() => encodeRecord(ledgerId, row, payloadDigest(salt, payload, sha256)));
    if (record instanceof RangeError || !sameBytes(leafOf(record, sha256), leaf))
      this.fault(index, 'payload', 'columns and payload do not make the record that was hashed either');
  }

  /** What the columns say otherwise than the record. */
  private wrongColumns(row: LedgerRow): string | undefined {
    const digest = digestInRecord(row.record);
    if (digest === undefined) return 'the record cannot be read';
    const record = recordOf(() => encodeRecord(this.options.ledgerId, row, digest));
    if (record instanceof RangeError) return `the columns make no record: ${record.message}`;
    if (!sameBytes(record, row.record)) return 'the columns are not those that the record was made of';
    if (row.payload === undefined) return undefined;
    const { ids, task } = this.options.subjects(row.type, row.payload) ?? { ids: [], task: '' };
    const same = task === row.task && ids.join() === row.subjectIds.join();
    return same ? undefined : 'the subjects of the entry are not those that its payload names';
  }

  private wrongPayload({ payload, salt, record }: LedgerRow): string | undefined {
    if (payload === undefined && salt === undefined) return undefined;
    if (payload === undefined || salt === undefined) return 'one of payload and salt is missing';
    const digest = digestInRecord(record);
    const same = digest && sameBytes(payloadDigest(salt, payload, this.options.sha256), digest);
    return same ? undefined : 'the payload is not the one whose digest the record holds';
  }

  private chain(row: LedgerRow, leaf: Uint8Array): void {
    if (this.anchors.length === 0 || this.continues(leaf, row)) {
      // Behind a hole nothing precedes; the first value there is taken as it is.
      this.anchors = [row.chain];
      return;
    }
    this.fault(row.index, 'chain', 'the chain value does not follow from the entry before and the leaf');
    this.anchors = [...this.anchors.map((anchor) => chainOf(anchor, leaf, this.options.sha256)), row.chain];
  }

  private faultIf(index: number, kind: FaultKind, wrong: string | undefined): void {
    if (wrong !== undefined) this.fault(index, kind, wrong);
  }

  private fault(index: number, kind: FaultKind, description: string): void {
    if (this.full) return;
    const fault = { index, kind, description };
    this.found.push(fault);
    this.untold.push(fault);
  }
}

function recordOf(encode: () => Uint8Array): Uint8Array | RangeError {
  try {
    return encode();
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}
