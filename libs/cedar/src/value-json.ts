import { EntityUid, isTypeName } from './entity-uid.js';
import { EvaluationError } from './evaluation-error.js';
import { callExtension, extensionFunctions } from './extension-functions.js';
import { longOf } from './integer.js';
import { Inexact } from './json.js';
import { CedarRecord, CedarSet, type Value } from './value.js';

/** Values nest to this depth. The reference ends at 123 to 125, by where the value stands. */
export const VALUE_DEPTH_MAX = 120;

/** What was given is no value, entity or request of Cedar. */
export class InvalidInput extends Error {
  override name = 'InvalidInput';
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** An object that came from JSON or could have: a `Date` is none, though it has no members either. */
export function isObject(json: unknown): json is JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
  const prototype: unknown = Object.getPrototypeOf(json);
  return prototype === Object.prototype || prototype === null;
}

/** The value that JSON means without a schema. @throws InvalidInput */
export function readValue(json: unknown, depth = 0): Value {
  switch (typeof json) {
    case 'string':
      if (!json.isWellFormed()) throw new InvalidInput('a string holds half a surrogate pair');
      return json;
    case 'boolean':
      return json;
    case 'number':
      // `+ 0` keeps -0 out.
      if (Number.isSafeInteger(json)) return json + 0;
      throw new InvalidInput(`\`${json}\` is no exact integer; beyond 2^53 pass a bigint or JSON text`);
    case 'bigint': {
      const long = longOf(json);
      if (long === undefined) throw new InvalidInput(`\`${json}\` exceeds 64 bits`);
      return long;
    }
    default:
      return readCompound(json, depth);
  }
}

function readCompound(json: unknown, depth: number): Value {
  if (depth >= VALUE_DEPTH_MAX) throw new InvalidInput(`a value nests deeper than ${VALUE_DEPTH_MAX}`);
  if (Array.isArray(json)) return CedarSet.of(json.map((element) => readValue(element, depth + 1)));
  if (json === null) throw new InvalidInput('found a `null`; JSON `null`s are not allowed in Cedar');
  if (json instanceof Inexact)
    throw new InvalidInput(`\`${json.source}\` is no integer; Cedar has no other numbers, but \`decimal\``);
  if (!isObject(json)) throw new InvalidInput(`found a \`${typeof json}\`, which JSON cannot hold`);
  return readEscape(json, depth) ?? readRecord(json, depth);
}

/** `__entity` and `__extn` mean what they say where they stand alone and are well formed; else they are names like others. */
function readEscape(json: JsonObject, depth: number): Value | undefined {
  const { __entity: entity, __extn: extension, __expr: expression } = json;
  if (entity === undefined && extension === undefined && expression === undefined) return undefined;
  if (Object.keys(json).length !== 1) return undefined;
  if (typeof expression === 'string') throw new InvalidInput('the `__expr` escape is no longer supported');
  if (isTypeAndId(entity)) return uidOf(entity);
  return isCall(extension) ? readCall(extension, depth) : undefined;
}

export interface ExtensionCall {
  readonly fn: string;
  readonly arg?: unknown;
  readonly args?: readonly unknown[];
}

export function isCall(json: unknown): json is ExtensionCall {
  return (
    isObject(json) && typeof json.fn === 'string' && (json.arg !== undefined || Array.isArray(json.args))
  );
}

/** @throws InvalidInput */
export function readCall({ fn, arg, args = [] }: ExtensionCall, depth: number): Value {
  const called = extensionFunctions.get(fn);
  if (called === undefined) throw new InvalidInput(`extension function \`${fn}\` does not exist`);
  const values = (arg === undefined ? args : [arg]).map((value) => readValue(value, depth + 1));
  return applied(fn, values);
}

/** @throws InvalidInput where the call has no result */
export function applied(name: string, args: readonly Value[]): Value {
  const called = extensionFunctions.get(name);
  if (called === undefined) throw new InvalidInput(`extension function \`${name}\` does not exist`);
  try {
    return callExtension(name, called, args);
  } catch (thrown) {
    if (thrown instanceof EvaluationError) throw new InvalidInput(thrown.message);
    throw thrown;
  }
}

function readRecord(json: JsonObject, depth: number): CedarRecord {
  return new CedarRecord(readAttributes(json, depth));
}

export function readAttributes(json: JsonObject, depth: number): ReadonlyMap<string, Value> {
  const attributes = new Map<string, Value>();
  for (const name of Object.keys(json)) {
    const value = json[name];
    // As in JSON: a member without a value is not there.
    if (value !== undefined) attributes.set(checkedName(name), readValue(value, depth + 1));
  }
  return attributes;
}

export function checkedName(name: string): string {
  if (!name.isWellFormed()) throw new InvalidInput('a name holds half a surrogate pair');
  return name;
}

/** `{type, id}` or `{__entity: {type, id}}`. @throws InvalidInput */
export function readUid(json: unknown, what: string): EntityUid {
  if (json instanceof EntityUid) return json;
  if (isObject(json)) {
    if (isTypeAndId(json.__entity)) return uidOf(json.__entity);
    if (isTypeAndId(json)) return uidOf(json);
  }
  throw new InvalidInput(`${what} is no reference to an entity; write \`{"type": …, "id": …}\``);
}

function isTypeAndId(json: unknown): json is { readonly type: string; readonly id: string } {
  return isObject(json) && typeof json.type === 'string' && typeof json.id === 'string';
}

function uidOf({ type, id }: { readonly type: string; readonly id: string }): EntityUid {
  if (!isTypeName(type)) throw new InvalidInput(`\`${type}\` is no name of an entity type`);
  if (!id.isWellFormed()) throw new InvalidInput('an entity id holds half a surrogate pair');
  return EntityUid.of(type, id);
}
