import type { FieldViolation } from '@writ/kernel';
import { type ExitCode, exitCodes } from './exit-codes.js';

/** The command ends here, for a reason that a person can act on. */
export class CliFailure extends Error {
  override name = 'CliFailure';
  /** The command or step to try next; empty when there is none. */
  readonly next: string;
  readonly fields: readonly FieldViolation[];
  /** For people, below the message, in place of the fields. */
  readonly lines: readonly string[];

  constructor(
    readonly exitCode: ExitCode,
    message: string,
    o: {
      next?: string;
      fields?: readonly FieldViolation[];
      lines?: readonly string[];
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: o.cause });
    this.next = o.next ?? '';
    this.fields = o.fields ?? [];
    this.lines = o.lines ?? [];
  }
}

/** A flag, argument or command is wrong. */
export function usage(message: string, next = ''): CliFailure {
  return new CliFailure(exitCodes.usage, message, { next });
}

/** Content is wrong; every bad field is named. */
export function invalid(what: string, fields: readonly FieldViolation[]): CliFailure {
  const [first] = fields;
  const why = first === undefined ? '' : `: \`${first.field}\` ${first.description}`;
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : '';
  return new CliFailure(exitCodes.invalid, `${what} is not valid${why}${more}`, { fields });
}
