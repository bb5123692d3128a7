import { EvaluationError } from './evaluation-error.js';

/**
 * A 64-bit signed integer: a `number` where that is exact (up to 2^53 - 1 on both sides), a `bigint` beyond. Each integer has
 * one form only, so `===` compares, and `<` is exact across the two forms.
 */
export type Long = number | bigint;

const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);

/** The one form of an integer; undefined beyond 64 bits. */
export function longOf(value: bigint): Long | undefined {
  if (value > LONG_MAX || value < LONG_MIN) return undefined;
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** Digits with an optional sign; undefined beyond 64 bits. Long runs of digits are not converted to find that out. */
export function parseLong(text: string): Long | undefined {
  const digits = text.replace(/^-?0*/, '');
  if (digits.length > 19) return undefined;
  const value = BigInt(digits === '' ? 0 : digits);
  return longOf(text.startsWith('-') ? -value : value);
}

export function add(left: Long, right: Long): Long {
  if (typeof left === 'number' && typeof right === 'number') {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return inRange(BigInt(left) + BigInt(right), 'add', left, right);
}

export function subtract(left: Long, right: Long): Long {
  if (typeof left === 'number' && typeof right === 'number') {
    const difference = left - right;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return inRange(BigInt(left) - BigInt(right), 'subtract', left, right);
}

export function multiply(left: Long, right: Long): Long {
  if (typeof left === 'number' && typeof right === 'number') {
    const product = left * right;
    // Rounded products are not safe integers. `+ 0` keeps -0 out.
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return inRange(BigInt(left) * BigInt(right), 'multiply', left, right);
}

export function negate(value: Long): Long {
  if (typeof value === 'number') return 0 - value;
  const negative = longOf(-value);
  if (negative === undefined)
    throw new EvaluationError(`integer overflow while attempting to negate the value \`${value}\``);
  return negative;
}

/** The quotient without its fraction, towards zero. */
export function divide(value: Long, divisor: number): Long {
  if (typeof value === 'number') return (value - (value % divisor)) / divisor + 0;
  return longOf(value / BigInt(divisor)) as Long;
}

/** What is left of the next lower multiple: 0 to `divisor` - 1 for negative values too. */
export function modulo(value: Long, divisor: number): number {
  const rest = Number(typeof value === 'number' ? value % divisor : value % BigInt(divisor));
  return rest < 0 ? rest + divisor : rest + 0;
}

function inRange(exact: bigint, verb: string, left: Long, right: Long): Long {
  const result = longOf(exact);
  if (result === undefined)
    throw new EvaluationError(
      `integer overflow while attempting to ${verb} the values \`${left}\` and \`${right}\``,
    );
  return result;
}
