/** How `writ` ends. Scripts branch on these numbers, so a number never changes its meaning. */
export const exitCodes = {
  ok: 0,
  internal: 1,
  deny: 2,
  invalid: 3,
  approvalPending: 4,
  forbidden: 5,
  notFound: 6,
  conflict: 7,
  unavailable: 8,
  integrity: 9,
  usage: 64,
  /** 128 + SIGPIPE, as of any program that is stopped by it. */
  unread: 141,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One line each, for `writ help exit-codes` and the reference. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.ok, 'done, or allowed'],
  [exitCodes.internal, 'an internal error; quote the call id'],
  [exitCodes.deny, 'denied: by a decision, or by the people asked'],
  [exitCodes.invalid, 'validation failed: a field, a file or a policy is not right'],
  [exitCodes.approvalPending, 'approval pending: a person has not decided yet'],
  [exitCodes.forbidden, 'unauthenticated or forbidden'],
  [exitCodes.notFound, 'not found'],
  [exitCodes.conflict, 'conflict, stale etag, or a precondition does not hold'],
  [
    exitCodes.unavailable,
    'unavailable or timed out; safe to retry with the same --request-id, unless times or signatures differ',
  ],
  [exitCodes.integrity, 'integrity failed: the ledger or what was to be signed does not check out'],
  [exitCodes.usage, 'usage: a command, flag or argument is wrong'],
  [exitCodes.unread, 'the reader of the output went away; what came out of it is not known'],
];

const byStatus: Readonly<Record<string, ExitCode>> = {
  INVALID_ARGUMENT: exitCodes.invalid,
  OUT_OF_RANGE: exitCodes.invalid,
  UNAUTHENTICATED: exitCodes.forbidden,
  PERMISSION_DENIED: exitCodes.forbidden,
  NOT_FOUND: exitCodes.notFound,
  ALREADY_EXISTS: exitCodes.conflict,
  ABORTED: exitCodes.conflict,
  FAILED_PRECONDITION: exitCodes.conflict,
  UNAVAILABLE: exitCodes.unavailable,
  DEADLINE_EXCEEDED: exitCodes.unavailable,
  RESOURCE_EXHAUSTED: exitCodes.unavailable,
  CANCELLED: exitCodes.unavailable,
  DATA_LOSS: exitCodes.integrity,
};

/** The exit code of a gRPC status by name; what is unknown is an internal error. */
export function exitCodeOfStatus(status: string): ExitCode {
  return byStatus[status] ?? exitCodes.internal;
}

const grpcCodes: Readonly<Record<ExitCode, number>> = {
  [exitCodes.ok]: 0,
  [exitCodes.internal]: 13,
  [exitCodes.deny]: 7,
  [exitCodes.invalid]: 3,
  [exitCodes.approvalPending]: 9,
  [exitCodes.forbidden]: 7,
  [exitCodes.notFound]: 5,
  [exitCodes.conflict]: 9,
  [exitCodes.unavailable]: 14,
  [exitCodes.integrity]: 15,
  [exitCodes.usage]: 3,
  [exitCodes.unread]: 1,
};

/** The google.rpc.Code nearest to an exit code, for errors that no service sent. */
export function grpcCodeOf(code: ExitCode): number {
  return grpcCodes[code];
}
