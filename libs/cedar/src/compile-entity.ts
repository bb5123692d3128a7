import { EntityUid } from './entity-uid.js';
import { EvaluationError, typeError } from './evaluation-error.js';
import {
  type Compile,
  type Compiled,
  type Evaluate,
  entityAt,
  type Frame,
  isWithin,
  uidOf,
} from './frame.js';
import { bodyOf, UnknownForm } from './policy-json.js';
import { CedarRecord, CedarSet, typeOf, type Value } from './value.js';

export function compileVariable(name: unknown): Compiled {
  switch (name) {
    case 'principal':
      return { evaluate: (frame) => frame.principal };
    case 'action':
      return { evaluate: (frame) => frame.action };
    case 'resource':
      return { evaluate: (frame) => frame.resource };
    case 'context':
      return { evaluate: (frame) => frame.context };
    default:
      throw new UnknownForm(`no variable \`${name}\``);
  }
}

export function compileAttribute(body: unknown, compile: Compile): Compiled {
  const { left, attr } = bodyOf(body);
  const { evaluate } = compile(left);
  const name = text(attr);
  return { evaluate: (frame) => attributeOf(evaluate(frame), name, frame) };
}

function attributeOf(value: Value, name: string, frame: Frame): Value {
  if (value instanceof CedarRecord) {
    const attribute = value.attributes.get(name);
    if (attribute === undefined) throw new EvaluationError(`record does not have the attribute \`${name}\``);
    return attribute;
  }
  if (!(value instanceof EntityUid)) throw notAttributed(value);
  const attribute = entityAt(frame, value).attributes.get(name);
  if (attribute === undefined)
    throw new EvaluationError(`\`${value}\` does not have the attribute \`${name}\``);
  return attribute;
}

export function compileHas(body: unknown, compile: Compile): Compiled {
  const { left, attr } = bodyOf(body);
  const { evaluate } = compile(left);
  const path = (Array.isArray(attr) ? attr : [attr]).map(text);
  const last = path.pop() as string;
  return {
    evaluate: (frame) => {
      let value = evaluate(frame);
      for (const name of path) {
        if (!hasAttribute(value, name, frame)) return false;
        value = attributeOf(value, name, frame);
      }
      return hasAttribute(value, last, frame);
    },
  };
}

/** An entity that is not there has no attributes, which is no error. */
function hasAttribute(value: Value, name: string, { entities }: Frame): boolean {
  if (value instanceof CedarRecord) return value.attributes.has(name);
  if (value instanceof EntityUid) return entities.get(value.key)?.attributes.has(name) ?? false;
  throw notAttributed(value);
}

function notAttributed(value: Value): EvaluationError {
  return new EvaluationError(
    `type error: expected one of [record, (entity of type \`any_entity_type\`)], got ${typeOf(value)}`,
  );
}

export function compileTag(form: 'getTag' | 'hasTag', body: unknown, compile: Compile): Compiled {
  const operands = bodyOf(body);
  const [left, right] = [compile(operands.left).evaluate, compile(operands.right).evaluate];
  const read = form === 'getTag' ? tagOf : hasTag;
  return {
    evaluate: (frame) => {
      const entity = left(frame);
      const name = right(frame);
      const uid = uidOf(entity);
      if (typeof name !== 'string') throw typeError('string', typeOf(name));
      return read(uid, name, frame);
    },
  };
}

function hasTag({ key }: EntityUid, name: string, { entities }: Frame): boolean {
  return entities.get(key)?.tags.has(name) ?? false;
}

function tagOf(uid: EntityUid, name: string, frame: Frame): Value {
  const tag = entityAt(frame, uid).tags.get(name);
  if (tag === undefined) throw new EvaluationError(`\`${uid}\` does not have the tag \`${name}\``);
  return tag;
}

export function compileIn(body: unknown, compile: Compile): Compiled {
  const { left, right } = bodyOf(body);
  const within = compileWithin(compile(right));
  const { evaluate } = compile(left);
  return { evaluate: (frame) => within(evaluate(frame), frame) };
}

type Within = (value: Value, frame: Frame) => boolean;

function compileWithin({ evaluate, constant }: Compiled): Within {
  if (constant instanceof EntityUid) return (value, frame) => isWithin(frame, uidOf(value), constant.key);
  if (constant instanceof CedarSet && constant.elements.every((element) => element instanceof EntityUid)) {
    const keys = constant.elements.map(({ key }) => key);
    return (value, frame) => isWithinAny(frame, uidOf(value), keys);
  }
  return (value, frame) => {
    const target = evaluate(frame);
    const uid = uidOf(value);
    if (target instanceof EntityUid) return isWithin(frame, uid, target.key);
    if (!(target instanceof CedarSet)) throw notContaining(target);
    return isWithinAny(
      frame,
      uid,
      target.elements.map((element) => uidOf(element).key),
    );
  };
}

function isWithinAny(frame: Frame, { key }: EntityUid, keys: readonly string[]): boolean {
  const ancestors = frame.entities.ancestors(key);
  for (const one of keys) if (one === key || ancestors.has(one)) return true;
  return false;
}

function notContaining(value: Value): EvaluationError {
  return new EvaluationError(
    `type error: expected one of [set, (entity of type \`any_entity_type\`)], got ${typeOf(value)}`,
  );
}

export function compileIs(body: unknown, compile: Compile): Compiled {
  const { left, entity_type: type, in: ancestor } = bodyOf(body);
  const { evaluate } = compile(left);
  const expected = text(type);
  if (ancestor === undefined) return { evaluate: isOf(evaluate, expected) };
  const within = compileWithin(compile(ancestor));
  return {
    evaluate: (frame) => {
      const uid = uidOf(evaluate(frame));
      return uid.type === expected && within(uid, frame);
    },
  };
}

function isOf(evaluate: Evaluate, type: string): Evaluate {
  return (frame) => uidOf(evaluate(frame)).type === type;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new UnknownForm('a name is a text');
}
