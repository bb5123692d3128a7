import type { Entities } from './entities.js';
import type { Entity } from './entity.js';
import { EntityUid } from './entity-uid.js';
import { EvaluationError, typeError } from './evaluation-error.js';
import { type CedarRecord, typeOf, type Value } from './value.js';

/** What a policy is evaluated with. */
export interface Frame {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: CedarRecord;
  readonly entities: Entities;
}

/** A compiled expression. @throws EvaluationError */
export type Evaluate = (frame: Frame) => Value;

/** A compiled expression that answers yes or no. @throws EvaluationError */
export type Test = (frame: Frame) => boolean;

/** What an expression was compiled to; `constant` where its value does not depend on the request. */
export interface Compiled {
  readonly evaluate: Evaluate;
  readonly constant?: Value;
}

/** Compiles a part of an expression. @throws UnknownForm */
export type Compile = (expression: unknown) => Compiled;

export function constant(value: Value): Compiled {
  return { evaluate: () => value, constant: value };
}

export function testOf({ evaluate }: Compiled): Test {
  return (frame) => {
    const value = evaluate(frame);
    if (value === true) return true;
    if (value === false) return false;
    throw typeError('bool', typeOf(value));
  };
}

export function entityAt({ entities }: Frame, uid: EntityUid): Entity {
  const entity = entities.get(uid.key);
  if (entity === undefined) throw new EvaluationError(`entity \`${uid}\` does not exist`);
  return entity;
}

export function uidOf(value: Value): EntityUid {
  if (value instanceof EntityUid) return value;
  throw typeError('(entity of type `any_entity_type`)', typeOf(value));
}

/** Whether an entity is another one or descends from it. */
export function isWithin({ entities }: Frame, { key }: EntityUid, ancestorKey: string): boolean {
  return key === ancestorKey || entities.ancestors(key).has(ancestorKey);
}
