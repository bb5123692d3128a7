import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, RetryInfo } from '@writ/contracts/google/rpc/error_details.js';
import { Status } from '@writ/contracts/google/rpc/status.js';
import type { Cause, NoAnswerCode } from './no-answer.js';

/** A call that brought no answer: what the deny says, and what may be done about it. */
export interface Failure {
  readonly code: NoAnswerCode;
  readonly cause: Cause;
  /**
   * `retry`: it may go well the next time. `apart`: one of several questions may be the reason, so each is asked by itself.
   * `none`: asking again changes nothing.
   */
  readonly remedy: 'retry' | 'apart' | 'none';
  /** Milliseconds that the engine asks to wait before a retry. */
  readonly waitMs?: number;
}

type Row = Pick<Failure, 'code' | 'remedy'>;

/** gRPC status → what it means to a question. What is not here is ENGINE_FAILED. */
const rows: Readonly<Partial<Record<status, Row>>> = {
  [status.UNAVAILABLE]: { code: 'ENGINE_UNREACHABLE', remedy: 'retry' },
  [status.DEADLINE_EXCEEDED]: { code: 'DEADLINE_EXCEEDED', remedy: 'none' },
  [status.CANCELLED]: { code: 'ENGINE_FAILED', remedy: 'none' },
  [status.PERMISSION_DENIED]: { code: 'CALLER_REFUSED', remedy: 'none' },
  [status.UNIMPLEMENTED]: { code: 'ENGINE_FAILED', remedy: 'none' },
  [status.INVALID_ARGUMENT]: { code: 'QUESTION_REFUSED', remedy: 'apart' },
  [status.UNAUTHENTICATED]: { code: 'QUESTION_REFUSED', remedy: 'apart' },
  [status.ALREADY_EXISTS]: { code: 'QUESTION_REFUSED', remedy: 'apart' },
};

/** Codes of the engine that say more than their status. */
const rowsByReason: Readonly<Record<string, Row>> = {
  PEER_UNIDENTIFIED: { code: 'CALLER_REFUSED', remedy: 'none' },
  REQUEST_ID_REUSED: { code: 'REQUEST_ID_REUSED', remedy: 'apart' },
};

// One question that brings the engine down must not take its neighbours with it.
const otherwise: Row = { code: 'ENGINE_FAILED', remedy: 'apart' };

const DETAILS_KEY = 'grpc-status-details-bin';
const CALL_ID_KEY = 'writ-call-id';
const ERROR_DOMAIN = 'writ';

/** What the error of a call means. */
export function failureOf(error: ServiceError): Failure {
  const metadata = error.metadata ?? new Metadata();
  const details = detailsOf(metadata);
  const info = detail(details, 'ErrorInfo', ErrorInfo.decode);
  const reason = info?.domain === ERROR_DOMAIN ? info.reason : '';
  const waitMs = delayMs(detail(details, 'RetryInfo', RetryInfo.decode));
  const [callId] = metadata.get(CALL_ID_KEY);
  const cause: Cause = {
    status: status[error.code] ?? 'UNKNOWN',
    reason,
    message: error.details,
    fields: (detail(details, 'BadRequest', BadRequest.decode)?.fieldViolations ?? []).map(
      ({ field }) => field,
    ),
    callId: typeof callId === 'string' ? callId : '',
  };
  const row = rowsByReason[reason] ?? asksToWait(error.code, reason, waitMs) ?? rows[error.code] ?? otherwise;
  return waitMs === undefined ? { ...row, cause } : { ...row, cause, waitMs };
}

/** What was found wrong with an answer on this side. */
export function invalidAnswer(message: string): Failure {
  const cause = { status: '', reason: '', message, fields: [], callId: '' };
  return { code: 'ANSWER_INVALID', cause, remedy: 'none' };
}

/** Without RetryInfo it is no engine that asks to come back: grpc-js says the same status of a message that is too large. */
function asksToWait(code: status, reason: string, waitMs: number | undefined): Row | undefined {
  if (code === status.RESOURCE_EXHAUSTED && waitMs !== undefined)
    return { code: 'ENGINE_OVERLOADED', remedy: 'retry' };
  // It was reached, and says that it cannot.
  if (code === status.UNAVAILABLE && reason !== '') return { code: 'ENGINE_FAILED', remedy: 'retry' };
  return undefined;
}

/** The `google.rpc.Status` in the trailers; a damaged one is none. */
function detailsOf(metadata: Metadata): Status | undefined {
  const [encoded] = metadata.get(DETAILS_KEY);
  return Buffer.isBuffer(encoded) ? decoded(encoded, Status.decode) : undefined;
}

function detail<T>(found: Status | undefined, type: string, decode: (bytes: Uint8Array) => T): T | undefined {
  const packed = found?.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`);
  return packed === undefined ? undefined : decoded(packed.value, decode);
}

function decoded<T>(bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T | undefined {
  try {
    return decode(bytes);
  } catch {
    // The status itself says no; what would have explained it is lost.
    return undefined;
  }
}

function delayMs(info: RetryInfo | undefined): number | undefined {
  const delay = info?.retryDelay;
  if (delay === undefined) return undefined;
  return Math.max(0, Number(delay.seconds) * 1000 + delay.nanos / 1_000_000);
}
