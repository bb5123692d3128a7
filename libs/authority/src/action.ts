import { type Json, Refusal } from '@writ/kernel';
import { LIST_MAX, readLiteral, readName, readPlace, readType, readVerb } from './detail.js';
import { type Money, moneyJson, readMoney } from './money.js';
import { FieldReader, type Members, member } from './reader.js';

/** The value of an attribute. Numbers are whole and within 2^53; a fraction is sent as text. */
export type AttributeValue = string | number | boolean;

/** What an agent wants to do now: the thing that is decided, approved and recorded. */
export interface Action {
  /** Matches the `type` of an authorization detail. */
  readonly type: string;
  /** The verb; matches one of a detail's `actions`. */
  readonly name: string;
  readonly location?: string;
  readonly identifier?: string;
  readonly datatypes?: readonly string[];
  readonly amount?: Money;
  readonly attributes: { readonly [name: string]: AttributeValue };
}

const known = ['type', 'name', 'location', 'identifier', 'datatypes', 'amount', 'attributes'];

/** One more than a name may have, so that a name that was cut is never taken for one that was not. */
const nameShown = 65;

/**
 * Reads an action. It names one thing: no wildcards, no unknown members, at most 64 attributes.
 * @throws Refusal ACTION_INVALID, naming every bad field
 */
export function parseAction(json: unknown, field = 'action'): Action {
  const reader = new FieldReader();
  const action = readAction(reader, json, field);
  if (action !== undefined && reader.violations.length === 0) return action;
  const [first] = reader.violations;
  const message = `action is not valid: \`${first?.field}\` ${first?.description}`;
  throw new Refusal('ACTION_INVALID', 'invalid', message, reader.violations);
}

/**
 * The canonical content of an action, for the digest that approvals bind. The same action gives the same
 * JSON: amounts have one spelling, data types are a set, and what is absent is left out.
 */
export function actionJson(action: Action): Json {
  const { type, name, location, identifier, amount } = action;
  const datatypes = [...(action.datatypes ?? [])].sort();
  return {
    type,
    name,
    ...(location === undefined ? {} : { location }),
    ...(identifier === undefined ? {} : { identifier }),
    ...(datatypes.length === 0 ? {} : { datatypes }),
    ...(amount === undefined ? {} : { amount: moneyJson(amount) }),
    attributes: { ...action.attributes },
  };
}

function readAction(reader: FieldReader, json: unknown, field: string): Action | undefined {
  const members = reader.object(json, field, known);
  if (members === undefined) return undefined;
  const optional = <T>(memberName: string, read: (value: unknown, at: string) => T | undefined) =>
    members[memberName] === undefined ? undefined : read(members[memberName], member(field, memberName));
  const type = readType(reader, members.type, member(field, 'type'));
  const name = readVerb(reader, members.name, member(field, 'name'));
  const location = optional('location', (value, at) => readPlace(reader, value, at, 'exact'));
  const identifier = optional('identifier', (value, at) => readPlace(reader, value, at, 'exact'));
  const datatypes = optional('datatypes', (value, at) =>
    reader.list(value, at, LIST_MAX, (item, itemAt) => readLiteral(reader, item, itemAt)),
  );
  const amount = optional('amount', (value, at) => readMoney(reader, value, at));
  const attributes = optional('attributes', (value, at) => readAttributes(reader, value, at)) ?? {};
  if (type === undefined || name === undefined) return undefined;
  return {
    type,
    name,
    ...(location !== undefined && { location }),
    ...(identifier !== undefined && { identifier }),
    ...(datatypes && { datatypes }),
    ...(amount && { amount }),
    attributes,
  };
}

function readAttributes(reader: FieldReader, json: unknown, field: string): Action['attributes'] | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return reader.wrong(field, 'must be an object');
  const entries = Object.entries(json as Members);
  if (entries.length > LIST_MAX)
    return reader.wrong(field, `must have at most ${LIST_MAX} members, has ${entries.length}`);
  const attributes: [string, AttributeValue][] = [];
  for (const [key, content] of entries) {
    const name = readName(reader, key, member(field, key.slice(0, nameShown)));
    if (name === undefined) continue;
    const value = readAttribute(reader, content, member(field, name));
    if (value !== undefined) attributes.push([name, value]);
  }
  return Object.fromEntries(attributes);
}

function readAttribute(reader: FieldReader, value: unknown, field: string): AttributeValue | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number')
    return reader.integer(value, field, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (typeof value === 'string') return value === '' ? value : reader.text(value, field);
  return reader.wrong(field, 'must be text, a whole number, true or false');
}
