import { type FieldViolation, Refusal } from '@writ/kernel';

/** Members of a JSON object that nobody vouches for. */
export type Members = Readonly<Record<string, unknown>>;

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of its own, never one that every object inherits; `null` is as good as left out. */
export function own(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? (members[name] ?? undefined) : undefined;
}

/** A hostile request must not earn a longer answer. */
const violationsMax = 32;

/**
 * Reads members of a request and remembers each that is wrong, so that one answer names them all. Members that nobody asks
 * for are ignored, as the Authorization API wants it.
 */
export class MemberReader {
  readonly violations: FieldViolation[] = [];

  wrong(field: string, description: string): undefined {
    const isKnown = this.violations.some((known) => known.field === field);
    if (!isKnown && this.violations.length < violationsMax) this.violations.push({ field, description });
    return undefined;
  }

  object(value: unknown, field: string): Members | undefined {
    if (value === undefined) return this.wrong(field, 'is required');
    return isMembers(value) ? value : this.wrong(field, 'must be an object');
  }

  optionalObject(value: unknown, field: string): Members {
    return (value === undefined ? undefined : this.object(value, field)) ?? {};
  }

  text(value: unknown, field: string): string {
    if (value === undefined) this.wrong(field, 'is required');
    return this.optionalText(value, field);
  }

  /** Empty when it is left out or wrong. */
  optionalText(value: unknown, field: string): string {
    if (typeof value === 'string') return value;
    if (value !== undefined) this.wrong(field, 'must be text');
    return '';
  }

  /** @throws Refusal INVALID_ARGUMENT when anything was wrong */
  end(): void {
    if (this.violations.length > 0) throw invalid(this.violations);
  }
}

export function invalid(fields: readonly FieldViolation[]): Refusal<'INVALID_ARGUMENT'> {
  const message = fields.map(({ field, description }) => `\`${field}\` ${description}`).join('; ');
  return new Refusal('INVALID_ARGUMENT', 'invalid', message, fields);
}
