import { contract } from './contract.js';
import type { Json, JsonObject } from './json.js';

/** Messages that have a short text form beside their JSON. Each answers undefined for text that is not of the form. */
export const textForms: Readonly<
  Record<string, { readonly form: string; read(text: string): JsonObject | undefined }>
> = {
  'writ.type.v1.Money': { form: 'an amount such as `1200.50EUR`', read: readMoney },
  'writ.policy.v1.PolicyTestExpectation': { form: '`allow`, `deny` or `approval-needed`', read: readOutcome },
  'writ.type.v1.Position': { form: 'a position such as `approvals:12`', read: readPosition },
};

/** Lists whose items are told apart by a name, so that `name: value` says it all. */
export const namedItems: Readonly<
  Record<string, { item(name: string, value: Json): JsonObject | undefined; fromText(text: string): Json }>
> = {
  'writ.type.v1.Attribute': { item: attribute, fromText: attributeValue },
  'writ.type.v1.FieldConstraint': { item: fieldConstraint, fromText: (text) => text.split('|') },
};

function readMoney(text: string): JsonObject | undefined {
  const [, value, currencyCode] = /^(\d{1,18}(?:\.\d{1,4})?) ?([A-Z]{3})$/.exec(text) ?? [];
  return value === undefined || currencyCode === undefined ? undefined : { currencyCode, value };
}

function readOutcome(text: string): JsonObject | undefined {
  const outcome = contract.enumValue('writ.policy.v1.Outcome', text);
  return outcome === undefined ? undefined : { outcome };
}

function readPosition(text: string): JsonObject | undefined {
  const [, source, pos] = /^([a-z-]+):(\d{1,16})$/.exec(text) ?? [];
  return source === undefined || pos === undefined ? undefined : { source, pos };
}

function attribute(name: string, value: Json): JsonObject | undefined {
  if (typeof value === 'string') return { name, stringValue: value };
  if (typeof value === 'boolean') return { name, boolValue: value };
  return Number.isSafeInteger(value) ? { name, intValue: String(value) } : undefined;
}

/** `12` is a number, `true` a truth value, `"12"` the text 12, everything else text. */
function attributeValue(text: string): Json {
  if (/^-?\d+$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return /^".*"$/.test(text) ? text.slice(1, -1) : text;
}

function fieldConstraint(name: string, value: Json): JsonObject | undefined {
  const oneOf = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return oneOf.every((one) => typeof one === 'string') ? { name, oneOf } : undefined;
}
