import type { FieldViolation } from '@writ/kernel';

export const TEXT_LENGTH_MAX = 512;
const violationsMax = 64;
const memberNameShown = 64;

/**
 * What no field may hold: control characters, line and paragraph separators, and the characters that
 * reorder text on screen. A person who approves must see the very text that is matched.
 */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u;

export type Members = { readonly [member: string]: unknown };

/** The path of a member: `authorization_details[0]` and `type` give `authorization_details[0].type`. */
export function member(field: string, name: string): string {
  return field === '' ? name : `${field}.${name}`;
}

/**
 * Reads JSON that nobody vouches for and remembers every field that is wrong, so that one refusal names
 * them all. At most 64 are kept: a hostile message must not earn a longer answer.
 */
export class FieldReader {
  readonly violations: FieldViolation[] = [];

  wrong(field: string, description: string): undefined {
    if (this.violations.length < violationsMax) this.violations.push({ field, description });
    return undefined;
  }

  /** The named members that the object itself has; any other member is wrong. */
  object(value: unknown, field: string, known: readonly string[]): Members | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return this.wrong(field, 'must be an object');
    const members: Record<string, unknown> = Object.create(null);
    for (const [name, content] of Object.entries(value)) {
      if (known.includes(name)) members[name] = content;
      else
        this.wrong(member(field, name.slice(0, memberNameShown)), `is not a member; use ${known.join(', ')}`);
    }
    return members;
  }

  /** 1 to 512 UTF-16 units that can be shown as they are. */
  text(value: unknown, field: string, lengthMax = TEXT_LENGTH_MAX): string | undefined {
    if (typeof value !== 'string') return this.wrong(field, 'must be text');
    if (value === '' || value.length > lengthMax)
      return this.wrong(field, `must have 1 to ${lengthMax} characters, has ${value.length}`);
    if (!value.isWellFormed() || unseen.test(value))
      return this.wrong(field, 'must not hold control, separator or text-direction characters');
    return value;
  }

  /** Text of one form. `form` ends the sentence "must be …". */
  word(value: unknown, field: string, pattern: RegExp, form: string): string | undefined {
    const text = this.text(value, field);
    if (text === undefined || pattern.test(text)) return text;
    return this.wrong(field, `must be ${form}`);
  }

  /**
   * 1 to `lengthMax` items without repeats; an empty list is wrong because "none" and "any" would look
   * alike.
   */
  list<T>(
    value: unknown,
    field: string,
    lengthMax: number,
    item: (value: unknown, field: string) => T | undefined,
  ): readonly T[] | undefined {
    if (!Array.isArray(value)) return this.wrong(field, 'must be a list');
    if (value.length === 0 || value.length > lengthMax)
      return this.wrong(field, `must have 1 to ${lengthMax} items, has ${value.length}`);
    const items: T[] = [];
    for (const [index, content] of value.entries()) {
      const read = item(content, `${field}[${index}]`);
      if (read === undefined) continue;
      if (typeof read === 'string' && items.includes(read))
        this.wrong(`${field}[${index}]`, `repeats \`${read}\``);
      else items.push(read);
    }
    return items;
  }

  /** A whole number within a range. */
  integer(value: unknown, field: string, min: number, max: number): number | undefined {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
      return this.wrong(field, `must be a whole number from ${min} to ${max}`);
    return value + 0;
  }
}
