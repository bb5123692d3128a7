import { Datetime } from './datetime.js';
import { Duration } from './duration.js';
import { EntityUid } from './entity-uid.js';
import { EvaluationError, typeError } from './evaluation-error.js';
import { type Compile, type Compiled, constant, type Test, testOf } from './frame.js';
import { add, type Long, multiply, negate, subtract } from './integer.js';
import { bodyOf, formOf } from './policy-json.js';
import { equal, typeOf, type Value } from './value.js';

/** A chain of one operator is evaluated as a list: its length costs no depth. */
export function compileChain(operator: '&&' | '||', body: unknown, compile: Compile): Compiled {
  const operands: unknown[] = [];
  let { left, right } = bodyOf(body);
  for (;;) {
    operands.push(right);
    const [form, inner] = formOf(left);
    if (form !== operator) break;
    ({ left, right } = bodyOf(inner));
  }
  operands.push(left);
  const tests = operands.reverse().map((operand) => testOf(compile(operand)));
  const decisive = operator === '||';
  const [first, second] = tests as [Test, Test];
  if (tests.length === 2)
    return {
      evaluate: decisive
        ? (frame) => first(frame) || second(frame)
        : (frame) => first(frame) && second(frame),
    };
  return {
    evaluate: (frame) => {
      for (const test of tests) if (test(frame) === decisive) return decisive;
      return !decisive;
    },
  };
}

export function compileNot(body: unknown, compile: Compile): Compiled {
  const test = testOf(compile(bodyOf(body).arg));
  return { evaluate: (frame) => !test(frame) };
}

export function compileIf(body: unknown, compile: Compile): Compiled {
  const { if: condition, then: yes, else: no } = bodyOf(body);
  const test = testOf(compile(condition));
  const [whenTrue, whenFalse] = [compile(yes).evaluate, compile(no).evaluate];
  return { evaluate: (frame) => (test(frame) ? whenTrue(frame) : whenFalse(frame)) };
}

export function compileEquality(body: unknown, compile: Compile, expected: boolean): Compiled {
  const operands = bodyOf(body);
  const [left, right] = [compile(operands.left), compile(operands.right)];
  const fixed = right.constant ?? left.constant;
  const { evaluate } = right.constant === undefined ? right : left;
  if (fixed instanceof EntityUid) {
    const { key } = fixed;
    return {
      evaluate: (frame) => {
        const value = evaluate(frame);
        return (value instanceof EntityUid && value.key === key) === expected;
      },
    };
  }
  if (fixed !== undefined && typeof fixed !== 'object')
    return { evaluate: (frame) => (evaluate(frame) === fixed) === expected };
  return {
    evaluate: (frame) => {
      const value = left.evaluate(frame);
      return equal(value, right.evaluate(frame)) === expected;
    },
  };
}

const comparisons = {
  '<': (a: Long, b: Long) => a < b,
  '<=': (a: Long, b: Long) => a <= b,
  '>': (a: Long, b: Long) => a > b,
  '>=': (a: Long, b: Long) => a >= b,
} as const;

export function compileComparison(
  operator: keyof typeof comparisons,
  body: unknown,
  compile: Compile,
): Compiled {
  const operands = bodyOf(body);
  const [left, right] = [compile(operands.left).evaluate, compile(operands.right).evaluate];
  const compare = comparisons[operator];
  return {
    evaluate: (frame) => {
      const a = left(frame);
      const b = right(frame);
      if (typeof a === 'number' && typeof b === 'number') return compare(a, b);
      return compare(comparable(a, b), comparable(b, a));
    },
  };
}

/** The integer that orders a value among others of its type: integers, moments and spans of time have an order. */
function comparable(value: Value, other: Value): Long {
  if (isLong(value) && isLong(other)) return value;
  if (value instanceof Datetime && other instanceof Datetime) return value.epochMilliseconds;
  if (value instanceof Duration && other instanceof Duration) return value.milliseconds;
  throw incomparable(value, other);
}

function incomparable(left: Value, right: Value): EvaluationError {
  if (isLong(left)) return typeError('long', typeOf(right));
  if (isLong(right)) return typeError('long', typeOf(left));
  if (hasOrder(left)) return typeError(typeOf(left), typeOf(right));
  if (hasOrder(right)) return typeError(typeOf(right), typeOf(left));
  return new EvaluationError(`type error: expected one of [long, datetime, duration], got ${typeOf(left)}`);
}

function hasOrder(value: Value): boolean {
  return value instanceof Datetime || value instanceof Duration;
}

const arithmetic = { '+': add, '-': subtract, '*': multiply } as const;

export function compileArithmetic(
  operator: keyof typeof arithmetic,
  body: unknown,
  compile: Compile,
): Compiled {
  const operands = bodyOf(body);
  const [left, right] = [compile(operands.left).evaluate, compile(operands.right).evaluate];
  const compute = arithmetic[operator];
  return {
    evaluate: (frame) => {
      const a = left(frame);
      const b = right(frame);
      return compute(long(a), long(b));
    },
  };
}

export function compileNegation(body: unknown, compile: Compile): Compiled {
  const { arg } = bodyOf(body);
  const operand = compile(arg);
  if (typeof operand.constant === 'number') return constant(negate(operand.constant));
  return { evaluate: (frame) => negate(long(operand.evaluate(frame))) };
}

function isLong(value: Value): value is Long {
  return typeof value === 'number' || typeof value === 'bigint';
}

function long(value: Value): Long {
  if (isLong(value)) return value;
  throw typeError('long', typeOf(value));
}
