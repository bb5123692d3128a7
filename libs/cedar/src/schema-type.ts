import { EntityUid } from './entity-uid.js';
import { constructorOf } from './extension-functions.js';
import { CedarRecord, CedarSet, typeOf, type Value } from './value.js';
import {
  applied,
  checkedName,
  InvalidInput,
  isCall,
  isObject,
  type JsonObject,
  readCall,
  readUid,
  readValue,
  VALUE_DEPTH_MAX,
} from './value-json.js';

/** A type as the reference's schema in JSON writes it, all names resolved. */
export interface TypeJson {
  readonly type: string;
  readonly element?: TypeJson;
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, AttributeJson>>;
  readonly additionalAttributes?: boolean;
}

export interface AttributeJson extends TypeJson {
  readonly required?: boolean;
}

/** Reads a JSON value of one type. @throws InvalidInput when it is of another */
export type Reader = (json: unknown, depth: number) => Value;

export interface Field {
  readonly read: Reader;
  readonly required: boolean;
}

/** What types are made from: names of common types, and which ids an entity type admits. */
export interface TypeScope {
  readonly commonTypes: ReadonlyMap<string, TypeJson>;
  /** @throws InvalidInput when the schema does not admit the entity */
  readonly checkUid: (uid: EntityUid) => void;
}

/** @throws Error for a type of a later schema language */
export function readerOf(type: TypeJson, scope: TypeScope): Reader {
  switch (type.type) {
    case 'Boolean':
      return primitive('bool');
    case 'Long':
      return primitive('long');
    case 'String':
      return primitive('string');
    case 'Set':
      return readerOfSet(readerOf(type.element as TypeJson, scope));
    case 'Record':
      return readerOfRecord(type, scope);
    case 'Entity':
      return readerOfEntity(type.name ?? '', scope);
    case 'Extension':
      return readerOfExtension(type.name ?? '');
    default:
      return readerOfNamed(type.type, scope);
  }
}

/** A name that no common type has is a type of Cedar itself, with or without `__cedar::`. */
function readerOfNamed(name: string, scope: TypeScope): Reader {
  const common = scope.commonTypes.get(name);
  if (common !== undefined) return readerOf(common, scope);
  const own = name.replace(/^__cedar::/, '');
  if (constructorOf.has(own)) return readerOfExtension(own);
  if (own === 'Bool') return primitive('bool');
  if (['Long', 'String', 'Boolean'].includes(own)) return readerOf({ type: own }, scope);
  throw new Error(`the schema has a type \`${name}\` that is not known here`);
}

function primitive(expected: 'bool' | 'long' | 'string'): Reader {
  return (json, depth) => typed(expected, readValue(json, depth));
}

function typed(expected: string, value: Value): Value {
  const actual = typeOf(value);
  if (actual === expected) return value;
  throw new InvalidInput(`expected ${expected}, got ${actual}`);
}

function readerOfSet(read: Reader): Reader {
  return (json, depth) => {
    if (depth >= VALUE_DEPTH_MAX) throw new InvalidInput(`a value nests deeper than ${VALUE_DEPTH_MAX}`);
    if (!Array.isArray(json)) throw new InvalidInput('expected set');
    return CedarSet.of(json.map((element) => read(element, depth + 1)));
  };
}

function readerOfRecord({ attributes = {}, additionalAttributes }: TypeJson, scope: TypeScope): Reader {
  if (additionalAttributes === true)
    throw new Error('the schema has an open record, which is not known here');
  const fields = fieldsOf(attributes, scope);
  return (json, depth) => {
    if (!isObject(json)) throw new InvalidInput('expected record');
    return new CedarRecord(readFields(json, fields, depth));
  };
}

export function fieldsOf(
  attributes: Readonly<Record<string, AttributeJson>>,
  scope: TypeScope,
): ReadonlyMap<string, Field> {
  return new Map(
    Object.entries(attributes).map(([name, type]) => [
      name,
      { read: readerOf(type, scope), required: type.required !== false },
    ]),
  );
}

/** @throws InvalidInput when one is missing, unknown or of the wrong type */
export function readFields(
  json: JsonObject,
  fields: ReadonlyMap<string, Field>,
  depth: number,
): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>();
  for (const name of Object.keys(json)) {
    const value = json[name];
    if (value === undefined) continue;
    const field = fields.get(name);
    if (field === undefined)
      throw new InvalidInput(`attribute \`${checkedName(name)}\` is not in the schema`);
    values.set(name, field.read(value, depth + 1));
  }
  for (const [name, field] of fields)
    if (field.required && !values.has(name)) throw new InvalidInput(`attribute \`${name}\` is missing`);
  return values;
}

function readerOfEntity(type: string, { checkUid }: TypeScope): Reader {
  return (json) => {
    const uid = readUid(json, 'the value');
    if (uid.type !== type) throw new InvalidInput(`expected an entity of type \`${type}\`, got \`${uid}\``);
    checkUid(uid);
    return uid;
  };
}

function readerOfExtension(kind: string): Reader {
  const unsaid = constructorOf.get(kind);
  if (unsaid === undefined)
    throw new Error(`the schema has an extension type \`${kind}\` that is not known here`);
  return (json, depth) => {
    const inner = isObject(json) ? json.__extn : undefined;
    if (isCall(inner)) return typed(kind, readCall(inner, depth));
    if (isCall(json)) return typed(kind, readCall(json, depth));
    return applied(unsaid, [readValue(json, depth)]);
  };
}
