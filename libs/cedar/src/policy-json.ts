import type { JsonObject } from './value-json.js';

/** A policy or template as the reference writes it in JSON. Expressions are looked at by the compiler only. */
export interface PolicyJson {
  readonly effect: Effect;
  readonly principal: ScopeJson;
  readonly action: ScopeJson;
  readonly resource: ScopeJson;
  readonly conditions: readonly { readonly kind: 'when' | 'unless'; readonly body: unknown }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Effect = 'permit' | 'forbid';

/** One part of a scope: which entities it admits. */
export interface ScopeJson {
  readonly op: 'All' | '==' | 'in' | 'is';
  readonly entity?: unknown;
  readonly entities?: readonly unknown[];
  readonly slot?: string;
  readonly entity_type?: string;
  readonly in?: { readonly entity?: unknown; readonly slot?: string };
}

/** The compiler does not take an expression or scope of this form: the reference evaluates the policy. */
export class UnknownForm extends Error {
  override name = 'UnknownForm';
}

/** The single member of an object: the form of an expression and what it consists of. @throws UnknownForm */
export function formOf(expression: unknown): [form: string, body: unknown] {
  const [entry, second] = Object.entries(expression ?? {});
  if (entry === undefined || second !== undefined) throw new UnknownForm('an expression has one form');
  return entry;
}

/** @throws UnknownForm */
export function bodyOf(body: unknown): JsonObject {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as JsonObject;
  throw new UnknownForm('an operator has named operands');
}
