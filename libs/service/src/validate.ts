import { type FieldViolation, type IdKind, idKinds, isId, Refusal } from '@writ/kernel';

/**
 * Field rules. Each returns what is wrong, in words that say what would be right, or undefined; `check` gathers them
 * all, so that a caller corrects a request once and not field by field. Values are never repeated in a message:
 * a misplaced secret would end up in a log.
 */
export type Problem = string | undefined;

/**
 * Refuses a request with every bad field named (google.rpc.BadRequest). Keys are proto paths as in the contract:
 * `agent_id`, `limits.calls_max`; camelCase keys are turned into that.
 * @throws Refusal INVALID_ARGUMENT
 */
export function check(problems: Readonly<Record<string, Problem>>): void {
  const fields: FieldViolation[] = [];
  for (const field of Object.keys(problems)) {
    const description = problems[field];
    if (description !== undefined) fields.push({ field: protoPath(field), description });
  }
  if (fields.length === 0) return;
  const message = fields.map(({ field, description }) => `\`${field}\` ${description}`).join('; ');
  throw new Refusal('INVALID_ARGUMENT', 'invalid', message, fields);
}

/** Any rule, with absence (undefined, empty string, empty list) refused first. */
export function required(value: unknown, problem?: Problem): Problem {
  const absent =
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
  return absent ? 'is required' : problem;
}

/** A rule that holds only when the field is there. */
export function optional(value: unknown, problem: Problem): Problem {
  return value === undefined || value === '' ? undefined : problem;
}

/** An id of `kind`, such as `agt_` and a ULID; absence is a mistake too. */
export function id<K extends IdKind>(kind: K, value: string): Problem {
  if (value === '') return 'is required';
  return isId(kind, value)
    ? undefined
    : `must be an id of kind \`${idKinds[kind]}\`: \`${kind}_\` and a ULID`;
}

const lineBreaks = /[\n\r\t]/g;
// Control and formatting characters hide what a person is asked to approve (Trojan Source, CVE-2021-42574).
const invisible = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** Visible text, `min` (1) to `max` characters, well-formed, not only spaces. */
export function text(value: string, o: { max: number; min?: number; multiline?: boolean }): Problem {
  const min = o.min ?? 1;
  const length = [...value].length;
  if (length < min || length > o.max) return `must have ${min} to ${o.max} characters`;
  if (min > 0 && value.trim() === '') return 'must not be blank';
  if (!value.isWellFormed()) return 'must be well-formed Unicode';
  const shown = o.multiline === true ? value.replaceAll(lineBreaks, ' ') : value;
  return invisible.test(shown) ? 'must have no control or invisible characters' : undefined;
}

/** Text of one form: `pattern` for the machine, `form` for people. */
export function matching(value: string, pattern: RegExp, form: string): Problem {
  return pattern.test(value) ? undefined : `must be ${form}`;
}

/** A value of a generated enum other than its zero (AIP-126: UNSPECIFIED) and UNRECOGNIZED (-1). */
export function enumValue(values: Readonly<Record<string, string | number>>, value: number): Problem {
  if (value > 0 && typeof values[value] === 'string') return undefined;
  const names = Object.keys(values).filter((name) => Number.isNaN(Number(name)) && Number(values[name]) > 0);
  return `must be one of ${names.map((name) => `\`${name}\``).join(', ')}`;
}

/** A whole number from `min` (1) to `max`; 64-bit fields arrive as bigint. */
export function integer(value: number | bigint, o: { max: number | bigint; min?: number | bigint }): Problem {
  const min = o.min ?? 1;
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  return whole && value >= min && value <= o.max
    ? undefined
    : `must be a whole number from ${min} to ${o.max}`;
}

/** A timestamp, and where it has to lie. */
export function timestamp(value: Date | undefined, o: { after?: Date; notAfter?: Date } = {}): Problem {
  if (value === undefined) return 'is required';
  if (Number.isNaN(value.getTime())) return 'must be a timestamp from year 1 to 9999';
  if (o.after !== undefined && value <= o.after) return `must lie after ${o.after.toISOString()}`;
  if (o.notAfter !== undefined && value > o.notAfter) return `must not lie after ${o.notAfter.toISOString()}`;
  return undefined;
}

/** At most `max` items, each of which `rule` accepts; the first bad one is named. */
export function list<T>(
  values: readonly T[],
  o: { max: number; min?: number; rule?: (value: T) => Problem },
): Problem {
  const min = o.min ?? 0;
  if (values.length < min || values.length > o.max) return `must have ${min} to ${o.max} items`;
  for (const [index, value] of values.entries()) {
    const problem = o.rule?.(value);
    if (problem !== undefined) return `[${index}] ${problem}`;
  }
  return undefined;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** AIP-155: the idempotency key of a call is a UUID. */
export function requestId(value: string): Problem {
  return uuid.test(value) ? undefined : 'must be a UUID';
}

function protoPath(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
