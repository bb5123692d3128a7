import { EntityUid } from './entity-uid.js';
import { ExtensionValue } from './extension-value.js';

/** What an expression can be. Integers have the one form that `integer.ts` gives them. */
export type Value = boolean | number | bigint | string | EntityUid | CedarSet | CedarRecord | ExtensionValue;

/** Up to so many elements are compared one by one; more are found by their keys. */
const COMPARED_MAX = 8;

/** Values without order and without repetition. */
export class CedarSet {
  #keys: ReadonlySet<string> | undefined;

  private constructor(readonly elements: readonly Value[]) {}

  static of(values: readonly Value[]): CedarSet {
    if (values.length > COMPARED_MAX)
      return new CedarSet([...new Map(values.map((value) => [keyOf(value), value])).values()]);
    return new CedarSet(
      values.filter((value, at) => values.findIndex((other) => equal(other, value)) === at),
    );
  }

  has(value: Value): boolean {
    const { elements } = this;
    if (elements.length > COMPARED_MAX) return this.keys.has(keyOf(value));
    for (const element of elements) if (equal(element, value)) return true;
    return false;
  }

  hasAll(other: CedarSet): boolean {
    return other.elements.length <= this.elements.length && other.elements.every((value) => this.has(value));
  }

  hasAny(other: CedarSet): boolean {
    const [few, many] = other.elements.length < this.elements.length ? [other, this] : [this, other];
    return few.elements.some((value) => many.has(value));
  }

  get keys(): ReadonlySet<string> {
    this.#keys ??= new Set(this.elements.map(keyOf));
    return this.#keys;
  }
}

export class CedarRecord {
  constructor(readonly attributes: ReadonlyMap<string, Value>) {}
}

/** Values of different types are unequal, never an error. */
export function equal(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  if (left instanceof EntityUid) return right instanceof EntityUid && left.key === right.key;
  if (left instanceof CedarSet)
    return right instanceof CedarSet && left.elements.length === right.elements.length && left.hasAll(right);
  if (left instanceof CedarRecord) return right instanceof CedarRecord && equalRecords(left, right);
  return right instanceof ExtensionValue && left.kind === right.kind && left.key === right.key;
}

function equalRecords({ attributes: left }: CedarRecord, { attributes: right }: CedarRecord): boolean {
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    const other = right.get(name);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

/** The same text for equal values only. Each key tells where it ends, so keys can be joined. */
export function keyOf(value: Value): string {
  if (typeof value === 'string') return `"${value.length}:${value}`;
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (typeof value !== 'object') return `${value};`;
  if (value instanceof EntityUid) return `@${value.key.length}:${value.key}`;
  if (value instanceof CedarSet) return `{${[...value.keys].sort().join('')}}`;
  if (value instanceof CedarRecord) {
    const names = [...value.attributes.keys()].sort();
    return `<${names.map((name) => `${name.length}:${name}${keyOf(value.attributes.get(name) as Value)}`).join('')}>`;
  }
  return `~${value.kind} ${value.key};`;
}

/** The type of a value as messages name it. */
export function typeOf(value: Value): string {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (typeof value !== 'object') return 'long';
  if (value instanceof EntityUid) return `(entity of type \`${value.type}\`)`;
  if (value instanceof CedarSet) return 'set';
  return value instanceof CedarRecord ? 'record' : value.kind;
}
