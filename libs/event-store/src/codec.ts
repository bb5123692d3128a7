import type { NewFact, StoredFact } from './fact.js';

/** What ts-proto generates for a message: the bytes it encodes are what is stored, published and hashed. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** One row per fact of a noun; a fact without a codec does not compile. */
export type Facts<E extends { type: string; data: unknown }> = {
  readonly [F in E as F['type']]: Codec<F['data']>;
};

export function encodeFact<E extends { type: string; data: unknown }>(facts: Facts<E>, event: E): NewFact {
  return { type: event.type, data: codecOf(facts, event.type).encode(event.data).finish() };
}

/** @throws Error for a type that is not in the table: a rule must not run on a history it cannot read */
export function decodeFact<E extends { type: string; data: unknown }>(
  facts: Facts<E>,
  stored: StoredFact,
): E {
  const decoded = { type: stored.type, data: codecOf(facts, stored.type).decode(stored.data) };
  return decoded as E;
}

function codecOf<E extends { type: string; data: unknown }>(facts: Facts<E>, type: string): Codec<unknown> {
  if (!Object.hasOwn(facts, type)) throw new Error(`no codec for fact \`${type}\``);
  return facts[type as keyof Facts<E>] as Codec<unknown>;
}
