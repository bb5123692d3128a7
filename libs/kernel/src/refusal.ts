/** What sort of no a refusal is. `libs/service` maps each to one gRPC status, in one table. */
export type RefusalKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'stale'
  | 'precondition'
  | 'exhausted'
  | 'unavailable';

/** One bad field of a request: its proto path and what would be right. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** A rule said no. Callers may act on `code`; `message` is for people. */
export class Refusal<Code extends string = string> extends Error {
  override name = 'Refusal';
  constructor(
    readonly code: Code,
    readonly kind: RefusalKind,
    message: string,
    readonly fields: readonly FieldViolation[] = [],
  ) {
    super(message);
  }
}

/** The closed set of a noun's refusals. A code that is not in the table does not compile. */
export function refusals<const Table extends Record<string, RefusalKind>>(table: Table) {
  return <Code extends keyof Table & string>(code: Code, message: string): Refusal<Code> =>
    new Refusal(code, table[code] as RefusalKind, message);
}
