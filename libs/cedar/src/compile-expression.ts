import {
  compileAttribute,
  compileHas,
  compileIn,
  compileIs,
  compileTag,
  compileVariable,
} from './compile-entity.js';
import {
  compileArithmetic,
  compileChain,
  compileComparison,
  compileEquality,
  compileIf,
  compileNegation,
  compileNot,
} from './compile-logic.js';
import {
  compileCall,
  compileIsEmpty,
  compileLike,
  compileLiteral,
  compileRecord,
  compileSet,
  compileSetTest,
} from './compile-value.js';
import { type Compiled, type Test, testOf } from './frame.js';
import { formOf, type PolicyJson, UnknownForm } from './policy-json.js';

/** An expression as closures. @throws UnknownForm for what is not known here */
export function compileExpression(expression: unknown): Compiled {
  const [form, body] = formOf(expression);
  switch (form) {
    case 'Value':
      return compileLiteral(body);
    case 'Var':
      return compileVariable(body);
    case 'Set':
      return compileSet(body, compileExpression);
    case 'Record':
      return compileRecord(body, compileExpression);
    case '.':
      return compileAttribute(body, compileExpression);
    case 'has':
      return compileHas(body, compileExpression);
    case 'in':
      return compileIn(body, compileExpression);
    case 'is':
      return compileIs(body, compileExpression);
    case 'like':
      return compileLike(body, compileExpression);
    case 'if-then-else':
      return compileIf(body, compileExpression);
    case 'isEmpty':
      return compileIsEmpty(body, compileExpression);
    case 'contains':
    case 'containsAll':
    case 'containsAny':
      return compileSetTest(form, body, compileExpression);
    case 'getTag':
    case 'hasTag':
      return compileTag(form, body, compileExpression);
    default:
      return compileOperator(form, body);
  }
}

function compileOperator(form: string, body: unknown): Compiled {
  switch (form) {
    case '&&':
    case '||':
      return compileChain(form, body, compileExpression);
    case '!':
      return compileNot(body, compileExpression);
    case '==':
      return compileEquality(body, compileExpression, true);
    case '!=':
      return compileEquality(body, compileExpression, false);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compileComparison(form, body, compileExpression);
    case '+':
    case '-':
    case '*':
      return compileArithmetic(form, body, compileExpression);
    case 'neg':
      return compileNegation(body, compileExpression);
    default: {
      const call = compileCall(form, body, compileExpression);
      if (call === undefined) throw new UnknownForm(`\`${form}\` is not known here`);
      return call;
    }
  }
}

/** All `when` and `unless` of a policy as one test; undefined where it has none. @throws UnknownForm */
export function compileConditions(conditions: PolicyJson['conditions']): Test | undefined {
  const tests = conditions.map(({ kind, body }): Test => {
    const test = testOf(compileExpression(body));
    if (kind === 'when') return test;
    if (kind === 'unless') return (frame) => !test(frame);
    throw new UnknownForm(`\`${kind}\` is not known here`);
  });
  const [only] = tests;
  if (tests.length < 2) return only;
  return (frame) => {
    for (const test of tests) if (!test(frame)) return false;
    return true;
  };
}
