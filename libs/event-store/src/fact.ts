import type { Call } from '@writ/kernel';

/** Who did it, what caused it, and the trace it belongs to: the envelope of a fact. */
export interface FactMeta {
  readonly actor: string;
  readonly cause: string;
  readonly callId: string;
  readonly traceparent: string;
  readonly tracestate: string;
}

/** A fact as the store keeps it: recorded once, published, never changed. */
export interface StoredFact {
  /** 1, 2, 3… without gaps, in the order of commits. `(service, pos)` names the fact everywhere. */
  readonly pos: number;
  /** UUIDv7: the id of the CloudEvent. */
  readonly id: string;
  readonly streamId: string;
  /** 1, 2, 3… within the stream. */
  readonly version: number;
  /** The message's name without its package: `AgentSuspended`. */
  readonly type: string;
  /** Facts of one key stay in order on the bus; an agent's id where there is one. */
  readonly partKey: string;
  readonly at: Date;
  readonly meta: FactMeta;
  /** The exact bytes that are published and hashed. */
  readonly data: Uint8Array;
}

/**
 * The most bytes the data of one fact may have. The rest of the 1 MiB that every carrier of the bus takes is for the
 * envelope: what is stored can be published.
 */
export const FACT_BYTES_MAX = 900 * 1024;

export interface NewFact {
  readonly type: string;
  readonly data: Uint8Array;
}

/**
 * What the stream must look like for the append to happen: no fact at all, at least one, exactly this version, or
 * anything. `'none'` and 0 mean the same.
 */
export type Expected = 'none' | 'exists' | 'any' | number;

export interface Append {
  readonly streamId: string;
  /** The noun of the stream: `agent`. */
  readonly kind: string;
  readonly partKey: string;
  readonly expected: Expected;
  /** At least one. */
  readonly facts: readonly NewFact[];
  /** Supplies time, actor, cause, trace and the facts' ids. */
  readonly call: Call;
}

/** Streams are short by design; an append that takes one past a multiple of this is reported. */
const LONG_STREAM_FACTS = 500;

export function metaOf(call: Call): FactMeta {
  const { actor, cause, callId, traceparent, tracestate } = call;
  return { actor, cause, callId, traceparent, tracestate };
}

/** Whether an append of `count` facts that ends at `version` makes the stream a longer one than it should be. */
export function becameLong(version: number, count: number): boolean {
  const fill = (facts: number) => Math.floor((facts - 1) / LONG_STREAM_FACTS);
  return fill(version) > Math.max(0, fill(version - count));
}
