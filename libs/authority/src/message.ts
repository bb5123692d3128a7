/**
 * Between the protobuf messages of `writ/type/v1/authority.proto` and the authority object. The shapes are
 * those that the contracts are generated with; they are written out here because this library imports the
 * kernel only. In protobuf an empty text, list or zero means "left out".
 */
import { Refusal } from '@writ/kernel';
import { type Action, type AttributeValue, parseAction } from './action.js';
import { type AuthorizationDetail, parseDetails } from './detail.js';
import { type Limits, parseLimits } from './limits.js';
import { type Money, moneyJson } from './money.js';

export interface MoneyMessage {
  currencyCode: string;
  value: string;
}

export interface DetailMessage {
  type: string;
  locations: string[];
  actions: string[];
  datatypes: string[];
  identifier: string;
  privileges: string[];
  constraints:
    | { amountMax: MoneyMessage | undefined; fields: { name: string; oneOf: string[] }[] }
    | undefined;
}

export interface LimitsMessage {
  amountTotal: MoneyMessage | undefined;
  amountEach: MoneyMessage | undefined;
  callsTotal: bigint;
}

export interface AttributeMessage {
  name: string;
  value:
    | { $case: 'stringValue'; value: string }
    | { $case: 'intValue'; value: bigint }
    | { $case: 'boolValue'; value: boolean }
    | undefined;
}

export interface ActionMessage {
  type: string;
  name: string;
  location: string;
  identifier: string;
  datatypes: string[];
  amount: MoneyMessage | undefined;
  attributes: AttributeMessage[];
}

/** @throws Refusal AUTHORIZATION_DETAILS_INVALID */
export function detailsFromMessages(
  messages: readonly DetailMessage[],
  field = 'authorization_details',
): readonly AuthorizationDetail[] {
  const json = messages.map(
    ({ type, actions, locations, datatypes, identifier, privileges, constraints }) => ({
      type,
      actions,
      locations: unlessEmpty(locations),
      datatypes: unlessEmpty(datatypes),
      identifier: unlessEmpty(identifier),
      privileges: unlessEmpty(privileges),
      constraints:
        constraints && (constraints.amountMax || constraints.fields.length > 0)
          ? { amountMax: moneyFields(constraints.amountMax), fields: unlessEmpty(constraints.fields) }
          : undefined,
    }),
  );
  return inContractTerms(() => parseDetails(json, field));
}

export function detailToMessage(detail: AuthorizationDetail): DetailMessage {
  const { constraints } = detail;
  const fields = (constraints?.fields ?? []).map(({ name, oneOf }) => ({ name, oneOf: [...oneOf] }));
  return {
    type: detail.type,
    actions: [...detail.actions],
    locations: [...(detail.locations ?? [])],
    datatypes: [...(detail.datatypes ?? [])],
    identifier: detail.identifier ?? '',
    privileges: [...(detail.privileges ?? [])],
    constraints: constraints && { amountMax: moneyToMessage(constraints.amountMax), fields },
  };
}

/**
 * No message is no limit.
 * @throws Refusal LIMITS_INVALID
 */
export function limitsFromMessage(message: LimitsMessage | undefined, field = 'limits'): Limits {
  if (message === undefined) return {};
  const { amountTotal, amountEach, callsTotal } = message;
  const json = {
    amountTotal: moneyFields(amountTotal),
    amountEach: moneyFields(amountEach),
    callsTotal: callsTotal === 0n ? undefined : Number(callsTotal),
  };
  return inContractTerms(() => parseLimits(json, field));
}

export function limitsToMessage({ amountTotal, amountEach, callsTotal }: Limits): LimitsMessage {
  return {
    amountTotal: moneyToMessage(amountTotal),
    amountEach: moneyToMessage(amountEach),
    callsTotal: BigInt(callsTotal ?? 0),
  };
}

/** @throws Refusal ACTION_INVALID, also when there is no message or an attribute is named twice */
export function actionFromMessage(message: ActionMessage | undefined, field = 'action'): Action {
  const attributes = new Map<string, unknown>();
  for (const { name, value } of message?.attributes ?? []) {
    if (attributes.has(name)) throw repeated(`${field}.attributes`);
    attributes.set(name, value?.$case === 'intValue' ? Number(value.value) : value?.value);
  }
  const json = message && {
    type: message.type,
    name: message.name,
    location: unlessEmpty(message.location),
    identifier: unlessEmpty(message.identifier),
    datatypes: unlessEmpty(message.datatypes),
    amount: moneyFields(message.amount),
    attributes: Object.fromEntries(attributes),
  };
  return inContractTerms(
    () => parseAction(json, field),
    message?.attributes.map(({ name }) => name),
  );
}

export function actionToMessage(action: Action): ActionMessage {
  return {
    type: action.type,
    name: action.name,
    location: action.location ?? '',
    identifier: action.identifier ?? '',
    datatypes: [...(action.datatypes ?? [])],
    amount: moneyToMessage(action.amount),
    attributes: Object.entries(action.attributes).map(([name, value]) => ({
      name,
      value: attributeToMessage(value),
    })),
  };
}

export function moneyToMessage(money: Money): MoneyMessage;
export function moneyToMessage(money: Money | undefined): MoneyMessage | undefined;
export function moneyToMessage(money: Money | undefined): MoneyMessage | undefined {
  return money && { currencyCode: money.currency, value: moneyJson(money).value };
}

function attributeToMessage(value: AttributeValue): AttributeMessage['value'] {
  if (typeof value === 'string') return { $case: 'stringValue', value };
  return typeof value === 'number'
    ? { $case: 'intValue', value: BigInt(value) }
    : { $case: 'boolValue', value };
}

/**
 * What a refusal names by our words, by the contract's: `limits.amount_total.currency_code`. An attribute is named by its
 * place, for its name is the caller's own text.
 */
function inContractTerms<T>(read: () => T, attributeNames: readonly string[] = []): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal) || error.fields.length === 0) throw error;
    const fields = error.fields.map(({ field, description }) => ({
      field: contractPath(field, attributeNames),
      description,
    }));
    const [what] = error.message.split(':');
    const [first] = fields;
    throw new Refusal(error.code, error.kind, `${what}: \`${first?.field}\` ${first?.description}`, fields);
  }
}

function contractPath(field: string, attributeNames: readonly string[]): string {
  const [list = '', ...name] = field.split('.attributes.');
  const index = indexOfName(name.join('.attributes.'), attributeNames);
  const path = name.length === 0 ? field : `${list}.attributes[${index}]`;
  return path
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replace(/\.currency$/, '.currency_code');
}

/** The place of the very name; only one that is too long is cut, and stands behind no other. */
function indexOfName(shown: string, names: readonly string[]): number {
  const index = names.indexOf(shown);
  return index >= 0 ? index : names.findIndex((name) => name.startsWith(shown));
}

function moneyFields(message: MoneyMessage | undefined): { currency: string; value: string } | undefined {
  return message && { currency: message.currencyCode, value: message.value };
}

function unlessEmpty<T extends string | readonly unknown[]>(value: T): T | undefined {
  return value.length === 0 ? undefined : value;
}

function repeated(field: string): Refusal<'ACTION_INVALID'> {
  const description = 'must name each attribute once';
  return new Refusal('ACTION_INVALID', 'invalid', `action is not valid: \`${field}\` ${description}`, [
    { field, description },
  ]);
}
