import { unreachable } from '@writ/kernel';
import type { Action } from './action.js';
import type { AuthorizationDetail, FieldConstraint } from './detail.js';
import { compareMoney, formatMoney, isAtMost, type Money } from './money.js';
import { placeCovers } from './place.js';

/** Why a detail does not cover an action, in the order of the checks: a later reason is a closer miss. */
export const mismatchReasons = [
  'TYPE',
  'ACTION',
  'LOCATION',
  'IDENTIFIER',
  'DATATYPE',
  'CONSTRAINT',
  'AMOUNT',
] as const;

export type MismatchReason = (typeof mismatchReasons)[number];

export interface Mismatch {
  readonly reason: MismatchReason;
  /** For people. */
  readonly message: string;
}

/** Actions of these types move money: without an amount no detail covers them. */
const moneyTypes: ReadonlySet<string> = new Set(['payment']);

/**
 * Whether one detail allows one action. Where the detail narrows a member, the action must say it: what an
 * action leaves unsaid is never taken to be within.
 */
export function covers(detail: AuthorizationDetail, action: Action): true | MismatchReason {
  const { locations, identifier, datatypes } = detail;
  if (action.type !== detail.type) return 'TYPE';
  if (!detail.actions.includes(action.name)) return 'ACTION';
  if (locations !== undefined && !isPlaced(locations, action.location)) return 'LOCATION';
  if (identifier !== undefined && !isPlaced([identifier], action.identifier)) return 'IDENTIFIER';
  if (datatypes !== undefined && !areAmong(datatypes, action.datatypes)) return 'DATATYPE';
  if (failingField(detail, action) !== undefined) return 'CONSTRAINT';
  return isAmountWithin(detail, action) ? true : 'AMOUNT';
}

/** The first detail that covers the action, else the closest miss, said for people. */
export function firstCover(
  details: readonly AuthorizationDetail[],
  action: Action,
): { readonly detail: AuthorizationDetail } | { readonly mismatch: Mismatch } {
  let closest: { reason: MismatchReason; detail: AuthorizationDetail } | undefined;
  for (const detail of details) {
    const reason = covers(detail, action);
    if (reason === true) return { detail };
    if (closest === undefined || isCloser({ reason, detail }, closest)) closest = { reason, detail };
  }
  if (closest === undefined) return { mismatch: { reason: 'TYPE', message: 'nothing at all is allowed' } };
  const { reason, detail } = closest;
  return { mismatch: { reason, message: explain(reason, details, detail, action) } };
}

function isPlaced(patterns: readonly string[], place: string | undefined): boolean {
  return place !== undefined && patterns.some((pattern) => placeCovers(pattern, place));
}

function areAmong(allowed: readonly string[], named: readonly string[] | undefined): boolean {
  return named !== undefined && named.length > 0 && named.every((name) => allowed.includes(name));
}

function failingField({ constraints }: AuthorizationDetail, action: Action): FieldConstraint | undefined {
  return constraints?.fields?.find(
    ({ name, oneOf }) =>
      !Object.hasOwn(action.attributes, name) || !oneOf.includes(String(action.attributes[name])),
  );
}

function isAmountWithin({ constraints }: AuthorizationDetail, { type, amount }: Action): boolean {
  const max = constraints?.amountMax;
  if (amount === undefined) return max === undefined && !moneyTypes.has(type);
  return max === undefined || isAtMost(amount, max);
}

interface Miss {
  readonly reason: MismatchReason;
  readonly detail: AuthorizationDetail;
}

// Of two ceilings that are too low the higher one is what the agent could have had.
function isCloser(miss: Miss, than: Miss): boolean {
  const byReason = mismatchReasons.indexOf(miss.reason) - mismatchReasons.indexOf(than.reason);
  if (byReason !== 0 || miss.reason !== 'AMOUNT') return byReason > 0;
  const [max, other] = [miss.detail.constraints?.amountMax, than.detail.constraints?.amountMax];
  return max !== undefined && other?.currency === max.currency && compareMoney(max, other) > 0;
}

function explain(
  reason: MismatchReason,
  details: readonly AuthorizationDetail[],
  detail: AuthorizationDetail,
  action: Action,
): string {
  switch (reason) {
    case 'TYPE':
      return refused(
        `\`${action.type}\``,
        details.map(({ type }) => type),
      );
    case 'ACTION':
      return refused(`\`${action.name}\` on \`${action.type}\``, verbsFor(details, action.type));
    case 'LOCATION':
      return refused(`location ${said(action.location)}`, detail.locations);
    case 'IDENTIFIER':
      return refused(`identifier ${said(action.identifier)}`, [detail.identifier ?? '']);
    case 'DATATYPE':
      return refused(`data types ${quoted(action.datatypes ?? [])}`, detail.datatypes);
    case 'CONSTRAINT':
      return explainField(failingField(detail, action), action);
    case 'AMOUNT':
      return explainAmount(detail.constraints?.amountMax, action.amount);
    default:
      return unreachable(reason);
  }
}

function verbsFor(details: readonly AuthorizationDetail[], type: string): readonly string[] {
  return details.filter((detail) => detail.type === type).flatMap(({ actions }) => actions);
}

function explainField(constraint: FieldConstraint | undefined, { attributes }: Action): string {
  const name = constraint?.name ?? '';
  const value = Object.hasOwn(attributes, name) ? String(attributes[name]) : undefined;
  return refused(`attribute \`${name}\` ${said(value)}`, constraint?.oneOf);
}

function explainAmount(max: Money | undefined, amount: Money | undefined): string {
  const limit = max === undefined ? '' : `, at most \`${formatMoney(max)}\` is allowed`;
  return amount === undefined
    ? `the action must say its amount${limit}`
    : `amount \`${formatMoney(amount)}\` is not allowed${limit}`;
}

function refused(what: string, allowed: readonly string[] = []): string {
  return `${what}: not allowed, only ${quoted(allowed)}`;
}

function said(value: string | undefined): string {
  return value === undefined ? 'unsaid' : `\`${value}\``;
}

function quoted(values: readonly string[]): string {
  return values.length === 0 ? 'none' : [...new Set(values)].map((value) => `\`${value}\``).join(', ');
}
