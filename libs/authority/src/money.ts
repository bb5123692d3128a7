import { Refusal } from '@writ/kernel';
import { FieldReader, member } from './reader.js';

/** An exact amount. Never a float: JSON carries it as decimal text. */
export interface Money {
  /** Three capital letters as in ISO 4217. Amounts of different currencies never compare. */
  readonly currency: string;
  /** Ten-thousandths of the currency, not negative. */
  readonly units: bigint;
}

const decimals = 4;
const unitsPerWhole = 10n ** BigInt(decimals);
const currencyPattern = /^[A-Z]{3}$/;
const valuePattern = /^(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,4}))?$/;

/**
 * Reads `{"currency":"EUR","value":"1200.50"}`: at most 18 digits before and 4 after the point; no sign, no
 * exponent, no leading zero, and the value is text.
 * @throws Refusal MONEY_INVALID
 */
export function parseMoney(json: unknown, field = 'amount'): Money {
  const reader = new FieldReader();
  const money = readMoney(reader, json, field);
  if (money === undefined || reader.violations.length > 0)
    throw new Refusal(
      'MONEY_INVALID',
      'invalid',
      `\`${field}\` is not an amount of money`,
      reader.violations,
    );
  return money;
}

export function readMoney(reader: FieldReader, json: unknown, field: string): Money | undefined {
  const members = reader.object(json, field, ['currency', 'value']);
  if (members === undefined) return undefined;
  const currency = reader.word(
    members.currency,
    member(field, 'currency'),
    currencyPattern,
    'three capital letters as in ISO 4217, for example `EUR`',
  );
  const form = 'decimal text such as `1200.50`, at most 18 digits before and 4 after the point';
  const value = reader.word(members.value, member(field, 'value'), valuePattern, form);
  const parts = value === undefined ? null : valuePattern.exec(value);
  if (currency === undefined || parts === null) return undefined;
  const [, whole = '0', fraction = ''] = parts;
  return { currency, units: BigInt(whole) * unitsPerWhole + BigInt(fraction.padEnd(decimals, '0')) };
}

/** One spelling per amount: `1200`, `1200.50`, `0.125`. */
function formatUnits(units: bigint): string {
  const fraction = (units % unitsPerWhole).toString().padStart(decimals, '0').replace(/0+$/, '');
  const whole = (units / unitsPerWhole).toString();
  return fraction === '' ? whole : `${whole}.${fraction.padEnd(2, '0')}`;
}

/** For people: `1200.50 EUR`. */
export function formatMoney(money: Money): string {
  return `${formatUnits(money.units)} ${money.currency}`;
}

/** The same amount has the same JSON, however it was spelt. */
export function moneyJson(money: Money): { readonly currency: string; readonly value: string } {
  return { currency: money.currency, value: formatUnits(money.units) };
}

/** Whether `amount` is at most `max`; no when the currencies differ. */
export function isAtMost(amount: Money, max: Money): boolean {
  return amount.currency === max.currency && amount.units <= max.units;
}

/** Negative, zero or positive. Callers MUST have seen that the currencies are equal; else it throws. */
export function compareMoney(a: Money, b: Money): -1 | 0 | 1 {
  requireSameCurrency(a, b);
  if (a.units === b.units) return 0;
  return a.units < b.units ? -1 : 1;
}

/** The exact sum. Callers MUST have seen that the currencies are equal; else it throws. */
export function addMoney(a: Money, b: Money): Money {
  requireSameCurrency(a, b);
  return { currency: a.currency, units: a.units + b.units };
}

function requireSameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency)
    throw new Error(`\`${a.currency}\` and \`${b.currency}\` cannot be reckoned together`);
}
