import type { Deadline, Metadata } from '@grpc/grpc-js';
import type { Call, Caller } from '@writ/kernel';
import type { Clock } from './clock.js';
import type { Role, Who } from './edge.js';
import type { Telemetry } from './telemetry.js';
import type { TracedSpan } from './trace.js';

/** Answers which roles a person holds now; nobody unknown or gone holds any. */
export interface Roles {
  rolesOf(personId: string): Promise<ReadonlySet<Role>>;
}

/** What the steps of the pipeline work with. */
export interface PipelineParts {
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly roles: Roles;
  readonly telemetry: Telemetry;
}

/** One call of the contract, or one route of an HTTP edge, as the pipeline sees it. */
export interface Rpc {
  readonly system: 'grpc' | 'http';
  /** `/writ.registry.v1.AgentService/SuspendAgent`, `/access/v1/evaluation` */
  readonly path: string;
  readonly who: readonly Who[];
  readonly streaming: boolean;
  /** Throws for bytes that are no request of this call; a Refusal says what is wrong with them. */
  decode(bytes: Buffer): object;
  encode(request: object): Uint8Array;
}

/** One call on its way through the pipeline: steps fill in what they find out. */
export interface Exchange {
  readonly rpc: Rpc;
  readonly parts: PipelineParts;
  readonly surface: Surface;
  /** The one request as it came; undefined for calls whose requests are a stream. */
  readonly raw: Buffer | undefined;
  readonly callId: string;
  readonly at: Date;
  /** What `raw` says; undefined for calls whose requests are a stream. */
  request?: object;
  trace?: TracedSpan;
  caller?: Caller;
  deadlineMs: number;
  /** When `deadlineMs` are over, by the machine's clock; streams have no such time. */
  endsAtMs?: number;
  call?: Call;
}

/** The part of a grpc-js server call that every kind of call has, and that an HTTP request is given. */
export interface Surface {
  readonly metadata: Headers;
  getDeadline(): Deadline;
  getAuthContext(): { sslPeerCertificate?: { raw: Buffer } };
}

/** What is read of a call's metadata or headers. */
export type Headers = Pick<Metadata, 'get'>;

export type Step = (exchange: Exchange, next: () => Promise<unknown>) => Promise<unknown>;
