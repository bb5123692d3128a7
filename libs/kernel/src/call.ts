import type { Id, IdKind } from './id.js';

/** What a peer proved to be, by the SPIFFE ID in its certificate. */
export interface Caller {
  readonly kind: 'person' | 'agent' | 'service' | 'enforcement-point' | 'bootstrap';
  /** `psn_…`, `agt_…`, a service's or an enforcement point's name, or `bootstrap`. */
  readonly id: string;
  readonly spiffeId: string;
  /** base64url SHA-256 of the DER certificate: what `cnf.x5t#S256` of RFC 8705 section 3.1 compares with. */
  readonly certificateSha256: string;
}

/**
 * Who asks, in whose name, when, and what caused it. Built once at the edge and handed down as one argument, so that no
 * rule reads a clock, draws a random number or guesses its caller.
 */
export interface Call {
  /** UUID of this call; stands in the caller's error, in logs and in every fact it causes. */
  readonly callId: string;
  readonly at: Date;
  /** Pseudonymous: `psn_…`, `agt_…`, `service/vault`, `enforcement-point/erp`, `bootstrap`. */
  readonly actor: string;
  readonly caller: Caller;
  /** What caused this call: another call's id, or `fact:<source>/<pos>` for a reaction. */
  readonly cause: string;
  /** The client's idempotency key (AIP-155), empty when it gave none. */
  readonly requestId: string;
  /** base64url SHA-256 over method and request without `request_id`; tells a retry from a reuse. */
  readonly requestHash: string;
  /** W3C trace context, empty when there is none. */
  readonly traceparent: string;
  readonly tracestate: string;
  /** Milliseconds left when the call arrived. */
  readonly deadlineMs: number;
  newId<K extends IdKind>(kind: K): Id<K>;
  /** UUIDv7 for one fact. */
  newEventId(): string;
}
