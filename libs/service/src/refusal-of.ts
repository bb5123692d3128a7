import { type ServiceError, status } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo } from '@writ/contracts/google/rpc/error_details.js';
import { Status } from '@writ/contracts/google/rpc/status.js';
import type { FieldViolation } from '@writ/kernel';
import { CALL_ID_KEY, ERROR_DOMAIN, STATUS_DETAILS_KEY } from './errors.js';

/** What a failed call said, decoded. */
export interface RemoteError {
  /** The gRPC status by name: `NOT_FOUND`. */
  readonly status: string;
  /** The closed code of ErrorInfo; the status name when the answer did not come from a service of Writ. */
  readonly reason: string;
  readonly message: string;
  readonly fields: readonly FieldViolation[];
  /** Empty when no service answered. */
  readonly callId: string;
  /** The whole `google.rpc.Status`, for callers that print it. */
  readonly details: Status | undefined;
}

/** Decodes the error of a gRPC call (google.rpc.Status); undefined for anything that is no such error. */
export function refusalOf(error: unknown): RemoteError | undefined {
  if (!isServiceError(error)) return undefined;
  const name = status[error.code] ?? 'UNKNOWN';
  const [encoded] = error.metadata.get(STATUS_DETAILS_KEY);
  const [callId] = error.metadata.get(CALL_ID_KEY);
  const details = Buffer.isBuffer(encoded) ? Status.decode(encoded) : undefined;
  const info = detail(details, 'ErrorInfo', ErrorInfo.decode);
  return {
    status: name,
    reason: info?.domain === ERROR_DOMAIN ? info.reason : name,
    message: error.details,
    fields: detail(details, 'BadRequest', BadRequest.decode)?.fieldViolations ?? [],
    callId: typeof callId === 'string' ? callId : '',
    details,
  };
}

/** The detail of one google.rpc type, when the status has it. */
export function detail<T>(
  found: Status | undefined,
  type: string,
  decode: (bytes: Uint8Array) => T,
): T | undefined {
  const packed = found?.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`);
  return packed === undefined ? undefined : decode(packed.value);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}
