import { inspect } from 'node:util';

const hidden = '[secret]';

/**
 * A value that must reach no log, span, error or JSON: it prints as `[secret]` everywhere, and only `reveal` gives it
 * back. The value sits in a private field, so that spreading or enumerating the object finds nothing either.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Callers MUST NOT keep it longer than the one use. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [Symbol.toPrimitive](): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
