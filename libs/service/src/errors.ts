import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { Any } from '@writ/contracts/google/protobuf/any.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  ResourceInfo,
  RetryInfo,
} from '@writ/contracts/google/rpc/error_details.js';
import { Status } from '@writ/contracts/google/rpc/status.js';
import { type FieldViolation, type IdKind, idKinds, isId, Refusal, type RefusalKind } from '@writ/kernel';

export const ERROR_DOMAIN = 'writ';
/** Metadata key of the encoded `google.rpc.Status` (gRPC's richer error model). */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
/** Trailing metadata key of the call's id, on every answer. */
export const CALL_ID_KEY = 'writ-call-id';

/** Headers are bounded (8 KiB by default in most stacks), so details are too. */
const fieldsMax = 32;
const textMax = 400;
const retryDelaySeconds = 1;

/** Kind of refusal → gRPC status, and HTTP status (RFC 9110 section 15, RFC 6585 for 429). */
const statusByKind: Readonly<Record<RefusalKind, readonly [grpc: status, http: number]>> = {
  invalid: [status.INVALID_ARGUMENT, 400],
  unauthenticated: [status.UNAUTHENTICATED, 401],
  forbidden: [status.PERMISSION_DENIED, 403],
  'not-found': [status.NOT_FOUND, 404],
  conflict: [status.ALREADY_EXISTS, 409],
  stale: [status.ABORTED, 409],
  precondition: [status.FAILED_PRECONDITION, 409],
  exhausted: [status.RESOURCE_EXHAUSTED, 429],
  unavailable: [status.UNAVAILABLE, 503],
};

/** Codes whose status says more than their kind's: a lost race over one stream is to be tried again (AIP-154). */
const statusByCode: Readonly<Record<string, status>> = { STREAM_CONFLICT: status.ABORTED };

/** The call ran out of its time. A bug or an overload, never a rule: hence no Refusal. */
export class DeadlineExceeded extends Error {
  override name = 'DeadlineExceeded';
  constructor(readonly deadlineMs: number) {
    super(`no answer within ${deadlineMs} ms`);
  }
}

/** An error as it leaves the process. */
export interface WireError extends StatusObject {
  /** The closed code in ErrorInfo: `AGENT_RETIRED`, `INTERNAL`, `DEADLINE_EXCEEDED`. */
  readonly reason: string;
  /** The status of the same error over HTTP. */
  readonly httpStatus: number;
  /** Every bad field of an invalid request, none otherwise. */
  readonly fields: readonly FieldViolation[];
}

/** The status of a refusal over HTTP. */
export function httpStatusOf({ kind }: Refusal): number {
  return statusByKind[kind][1];
}

/**
 * The one place that decides what an error says outside. A refusal gives its code and message. Everything else gives
 * "internal error" and the call's id: the cause is in the log, under that id.
 */
export function toWire(error: unknown, callId: string): WireError {
  if (error instanceof Refusal) {
    const code = statusByCode[error.code] ?? statusByKind[error.kind][0];
    const { code: reason, message } = error;
    const details = detailsOf(error);
    const fields = error.kind === 'invalid' ? violationsOf(error.fields) : [];
    return wireError({ code, httpStatus: httpStatusOf(error), reason, message, callId, details, fields });
  }
  if (error instanceof DeadlineExceeded)
    return wireError({
      code: status.DEADLINE_EXCEEDED,
      httpStatus: 504,
      reason: 'DEADLINE_EXCEEDED',
      message: error.message,
      callId,
      details: [],
    });
  return wireError({
    code: status.INTERNAL,
    httpStatus: 500,
    reason: 'INTERNAL',
    message: `internal error (call ${callId})`,
    callId,
    details: [],
  });
}

function wireError(o: {
  code: status;
  httpStatus: number;
  reason: string;
  message: string;
  callId: string;
  details: readonly Any[];
  fields?: readonly FieldViolation[];
}): WireError {
  const message = cut(o.message, 2 * textMax);
  const info = { reason: o.reason, domain: ERROR_DOMAIN, metadata: { callId: o.callId } };
  const details = [packed('ErrorInfo', ErrorInfo.encode(info).finish()), ...o.details];
  const metadata = new Metadata();
  metadata.set(
    STATUS_DETAILS_KEY,
    Buffer.from(Status.encode({ code: o.code, message, details: [...details] }).finish()),
  );
  metadata.set(CALL_ID_KEY, o.callId);
  const { code, reason, httpStatus, fields = [] } = o;
  return { code, details: message, metadata, reason, httpStatus, fields };
}

function detailsOf(refusal: Refusal): readonly Any[] {
  const description = cut(refusal.message, textMax);
  switch (refusal.kind) {
    case 'invalid':
      return [
        packed('BadRequest', BadRequest.encode({ fieldViolations: violationsOf(refusal.fields) }).finish()),
      ];
    case 'not-found':
      return [
        packed(
          'ResourceInfo',
          ResourceInfo.encode({ ...resourceOf(refusal), owner: '', description }).finish(),
        ),
      ];
    case 'precondition': {
      const violation = { type: refusal.code, subject: resourceOf(refusal).resourceName, description };
      return [
        packed('PreconditionFailure', PreconditionFailure.encode({ violations: [violation] }).finish()),
      ];
    }
    case 'exhausted':
    case 'unavailable': {
      const retryDelay = { seconds: BigInt(retryDelaySeconds), nanos: 0 };
      return [packed('RetryInfo', RetryInfo.encode({ retryDelay }).finish())];
    }
    default:
      return [];
  }
}

function violationsOf(fields: readonly FieldViolation[]) {
  return fields.slice(0, fieldsMax).map(({ field, description }) => ({
    field: cut(field, textMax),
    description: cut(description, textMax),
  }));
}

/** What a refusal is about: the first id in backticks in its message. */
function resourceOf(refusal: Refusal): { resourceType: string; resourceName: string } {
  const resourceName = /`([a-z]{3}_[0-9A-Z]{26})`/.exec(refusal.message)?.[1] ?? '';
  const kind = (Object.keys(idKinds) as IdKind[]).find((known) => isId(known, resourceName));
  return { resourceType: kind === undefined ? '' : `writ/${idKinds[kind]}`, resourceName };
}

function packed(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value: Buffer.from(value) };
}

/** At most `max` units of well-formed text: grpc-js throws for a status message with half a surrogate pair in it. */
function cut(text: string, max: number): string {
  const whole = text.toWellFormed();
  if (whole.length <= max) return whole;
  const kept = whole.slice(0, max - 1);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
}
