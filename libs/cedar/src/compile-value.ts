import { EvaluationError, typeError } from './evaluation-error.js';
import { callExtension, extensionFunctions } from './extension-functions.js';
import { type Compile, type Compiled, constant, type Evaluate } from './frame.js';
import { longOf } from './integer.js';
import { compilePattern, type PatternStep } from './pattern.js';
import { bodyOf, UnknownForm } from './policy-json.js';
import { CedarRecord, CedarSet, typeOf, type Value } from './value.js';
import { InvalidInput, readUid } from './value-json.js';

/** @throws UnknownForm also for integers that were rounded on their way here */
export function compileLiteral(json: unknown): Compiled {
  if (typeof json === 'boolean' || typeof json === 'string') return constant(json);
  if (typeof json === 'number' && Number.isSafeInteger(json)) return constant(json + 0);
  const long = typeof json === 'bigint' ? longOf(json) : undefined;
  if (long !== undefined) return constant(long);
  try {
    return constant(readUid(json, 'a literal'));
  } catch (thrown) {
    if (thrown instanceof InvalidInput) throw new UnknownForm(thrown.message);
    throw thrown;
  }
}

export function compileSet(body: unknown, compile: Compile): Compiled {
  if (!Array.isArray(body)) throw new UnknownForm('a set has a list of elements');
  return combined(body.map(compile), (values) => CedarSet.of(values));
}

export function compileRecord(body: unknown, compile: Compile): Compiled {
  const attributes = Object.entries(bodyOf(body));
  const names = attributes.map(([name]) => name);
  return combined(
    attributes.map(([, attribute]) => compile(attribute)),
    (values) => new CedarRecord(new Map(names.map((name, at) => [name, values[at] as Value]))),
  );
}

/** Undefined when there is no function of this name. */
export function compileCall(name: string, body: unknown, compile: Compile): Compiled | undefined {
  const called = extensionFunctions.get(name);
  if (called === undefined || !Array.isArray(body)) return undefined;
  return combined(body.map(compile), (values) => callExtension(name, called, values));
}

/** A value of parts: worked out once where all of them are constant. */
function combined(parts: readonly Compiled[], combine: (values: readonly Value[]) => Value): Compiled {
  const fixed = parts.flatMap(({ constant }) => (constant === undefined ? [] : [constant]));
  if (fixed.length === parts.length) return worked(() => combine(fixed));
  const evaluates = parts.map(({ evaluate }) => evaluate);
  return { evaluate: (frame) => combine(evaluates.map((evaluate) => evaluate(frame))) };
}

function worked(combine: () => Value): Compiled {
  try {
    return constant(combine());
  } catch (thrown) {
    if (!(thrown instanceof EvaluationError)) throw thrown;
    return {
      evaluate: () => {
        throw thrown;
      },
    };
  }
}

const setTests = {
  contains: (set: CedarSet, value: Value) => set.has(value),
  containsAll: (set: CedarSet, value: Value) => set.hasAll(setOf(value)),
  containsAny: (set: CedarSet, value: Value) => set.hasAny(setOf(value)),
} as const;

export function compileSetTest(form: keyof typeof setTests, body: unknown, compile: Compile): Compiled {
  const operands = bodyOf(body);
  const [left, right] = [compile(operands.left).evaluate, compile(operands.right).evaluate];
  const test = setTests[form];
  return {
    evaluate: (frame) => {
      const set = left(frame);
      const value = right(frame);
      return test(setOf(set), value);
    },
  };
}

export function compileIsEmpty(body: unknown, compile: Compile): Compiled {
  const { evaluate } = compile(bodyOf(body).arg);
  return { evaluate: (frame) => setOf(evaluate(frame)).elements.length === 0 };
}

export function compileLike(body: unknown, compile: Compile): Compiled {
  const { left, pattern } = bodyOf(body);
  const { evaluate } = compile(left);
  const matches = compilePattern(stepsOf(pattern));
  const like: Evaluate = (frame) => {
    const value = evaluate(frame);
    if (typeof value === 'string') return matches(value);
    throw typeError('string', typeOf(value));
  };
  return { evaluate: like };
}

function stepsOf(pattern: unknown): readonly PatternStep[] {
  if (!Array.isArray(pattern)) throw new UnknownForm('a pattern has a list of steps');
  return pattern.map((step): PatternStep => {
    if (step === 'Wildcard') return step;
    const { Literal } = bodyOf(step);
    if (typeof Literal !== 'string') throw new UnknownForm('a step of a pattern is a text or a wildcard');
    return { Literal };
  });
}

function setOf(value: Value): CedarSet {
  if (value instanceof CedarSet) return value;
  throw typeError('set', typeOf(value));
}
