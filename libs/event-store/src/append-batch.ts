import type { Refusal } from '@writ/kernel';
import { conflict } from './event-store.js';
import { type Append, type Expected, type FactMeta, metaOf, type StoredFact } from './fact.js';
import { plainArray, textArray } from './pg-array.js';

interface PlacedFact {
  /** Index of its append. */
  readonly of: number;
  /** From 1, among the facts of its stream in this batch. */
  readonly nth: number;
  readonly id: string;
  readonly meta: FactMeta;
  readonly type: string;
  readonly data: Uint8Array;
}

/** The appends of one call as the arrays that the SQL function of `append.sql.ts` takes, and its answer as facts. */
export class AppendBatch {
  static readonly parameterCount = 16;

  /** Of each append: how many facts of its stream come before it in this batch. */
  private readonly befores: number[] = [];
  /** Of each append: all facts of its stream in this batch; 0 if it is not the stream's first. */
  private readonly totals: number[] = [];
  private readonly facts: PlacedFact[] = [];

  constructor(private readonly appends: readonly Append[]) {
    const firsts = new Map<string, number>();
    appends.forEach(({ streamId, facts, call }, of) => {
      const first = firsts.get(streamId) ?? of;
      firsts.set(streamId, first);
      const before = this.totals[first] ?? 0;
      const meta = metaOf(call);
      facts.forEach(({ type, data }, place) => {
        this.facts.push({ of, nth: before + place + 1, id: call.newEventId(), meta, type, data });
      });
      this.befores.push(before);
      this.totals[of] = 0;
      this.totals[first] = before + facts.length;
    });
  }

  get count(): number {
    return this.facts.length;
  }

  parameters(): readonly unknown[] {
    const { appends, facts } = this;
    const appendOf = ({ of }: PlacedFact) => appends[of] as Append;
    let end = 1;
    const starts = facts.map(({ data }) => {
      end += data.length;
      return end - data.length;
    });
    return [
      textArray(appends.map(({ streamId }) => streamId)),
      textArray(appends.map(({ kind }) => kind)),
      plainArray(appends.map(({ expected }) => expectedVersion(expected))),
      plainArray(this.befores),
      plainArray(this.totals),
      plainArray(facts.map(({ of }) => of + 1)),
      plainArray(facts.map(({ nth }) => nth)),
      textArray(facts.map((fact) => appendOf(fact).streamId)),
      textArray(facts.map((fact) => appendOf(fact).partKey)),
      plainArray(facts.map((fact) => appendOf(fact).call.at.toISOString())),
      plainArray(facts.map(({ id }) => id)),
      textArray(facts.map(({ type }) => type)),
      plainArray(starts),
      plainArray(facts.map(({ data }) => data.length)),
      JSON.stringify(facts.map(({ meta }) => meta)),
      Buffer.concat(facts.map(({ data }) => data)),
    ];
  }

  /** @param versions of each append's stream before the call */
  stored(lastPos: number, versions: readonly number[]): StoredFact[] {
    return this.facts.map(({ of, nth, id, meta, type, data }, place) => {
      const { streamId, partKey, call } = this.appends[of] as Append;
      const pos = lastPos - this.facts.length + place + 1;
      return {
        pos,
        id,
        streamId,
        version: (versions[of] ?? 0) + nth,
        type,
        partKey,
        at: call.at,
        meta,
        data,
      };
    });
  }

  conflict(of: number, versions: readonly number[]): Refusal {
    const { streamId, expected } = this.appends[of] as Append;
    return conflict(streamId, (versions[of] ?? 0) + (this.befores[of] ?? 0), expected);
  }
}

/** As `append.sql.ts` wants it. */
function expectedVersion(expected: Expected): number {
  if (expected === 'any') return -2;
  if (expected === 'exists') return -1;
  return expected === 'none' ? 0 : expected;
}
