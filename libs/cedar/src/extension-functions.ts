import { Datetime, durationSince, offset, parseDatetime, toDate, toTime } from './datetime.js';
import { Decimal, parseDecimal } from './decimal.js';
import { Duration, parseDuration } from './duration.js';
import { EvaluationError, typeError } from './evaluation-error.js';
import { divide } from './integer.js';
import { IpAddress, parseIp } from './ip.js';
import { typeOf, type Value } from './value.js';

export interface ExtensionFunction {
  readonly arity: number;
  /** @throws EvaluationError when an argument is of the wrong type or has no result */
  readonly call: (args: readonly Value[]) => Value;
}

type Class<T> = abstract new (...args: never[]) => T;

function instance<T>(type: Class<T>, name: string, value: Value | undefined): T {
  if (value instanceof type) return value;
  throw typeError(name, typeOf(value as Value));
}

function constructing(parse: (text: string) => Value): ExtensionFunction {
  return {
    arity: 1,
    call: ([text]) => {
      if (typeof text === 'string') return parse(text);
      throw typeError('string', typeOf(text as Value));
    },
  };
}

function unary<T>(type: Class<T>, name: string, compute: (value: T) => Value): ExtensionFunction {
  return { arity: 1, call: ([value]) => compute(instance(type, name, value)) };
}

function binary<T, U>(
  [left, leftName]: readonly [Class<T>, string],
  [right, rightName]: readonly [Class<U>, string],
  compute: (a: T, b: U) => Value,
): ExtensionFunction {
  return {
    arity: 2,
    call: ([a, b]) => {
      const first = instance(left, leftName, a);
      return compute(first, instance(right, rightName, b));
    },
  };
}

const ip = [IpAddress, 'ipaddr'] as const;
const decimal = [Decimal, 'decimal'] as const;
const datetime = [Datetime, 'datetime'] as const;
const duration = [Duration, 'duration'] as const;

/** The functions and methods of the extension types, by their names in policies. */
export const extensionFunctions: ReadonlyMap<string, ExtensionFunction> = new Map([
  ['ip', constructing(parseIp)],
  ['isIpv4', unary(...ip, (value) => value.isIpv4())],
  ['isIpv6', unary(...ip, (value) => value.isIpv6())],
  ['isLoopback', unary(...ip, (value) => value.isLoopback())],
  ['isMulticast', unary(...ip, (value) => value.isMulticast())],
  ['isInRange', binary(ip, ip, (value, range) => value.isInRange(range))],
  ['decimal', constructing(parseDecimal)],
  ['lessThan', binary(decimal, decimal, (a, b) => a.tenThousandths < b.tenThousandths)],
  ['lessThanOrEqual', binary(decimal, decimal, (a, b) => a.tenThousandths <= b.tenThousandths)],
  ['greaterThan', binary(decimal, decimal, (a, b) => a.tenThousandths > b.tenThousandths)],
  ['greaterThanOrEqual', binary(decimal, decimal, (a, b) => a.tenThousandths >= b.tenThousandths)],
  ['datetime', constructing(parseDatetime)],
  ['offset', binary(datetime, duration, offset)],
  ['durationSince', binary(datetime, datetime, durationSince)],
  ['toDate', unary(...datetime, toDate)],
  ['toTime', unary(...datetime, toTime)],
  ['duration', constructing(parseDuration)],
  ['toMilliseconds', unary(...duration, ({ milliseconds }) => milliseconds)],
  ['toSeconds', unary(...duration, ({ milliseconds }) => divide(milliseconds, 1_000))],
  ['toMinutes', unary(...duration, ({ milliseconds }) => divide(milliseconds, 60_000))],
  ['toHours', unary(...duration, ({ milliseconds }) => divide(milliseconds, 3_600_000))],
  ['toDays', unary(...duration, ({ milliseconds }) => divide(milliseconds, 86_400_000))],
]);

/** The constructor of each extension type, which may stay unsaid where a schema expects the type. */
export const constructorOf: ReadonlyMap<string, string> = new Map([
  ['ipaddr', 'ip'],
  ['decimal', 'decimal'],
  ['datetime', 'datetime'],
  ['duration', 'duration'],
]);

/** @throws EvaluationError also for a wrong number of arguments */
export function callExtension(
  name: string,
  { arity, call }: ExtensionFunction,
  args: readonly Value[],
): Value {
  if (args.length !== arity)
    throw new EvaluationError(
      `wrong number of arguments provided to extension function \`${name}\`: expected ${arity}, got ${args.length}`,
    );
  return call(args);
}
