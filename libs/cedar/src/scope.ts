import type { EntityUid } from './entity-uid.js';
import { type Frame, isWithin, type Test } from './frame.js';
import { type PolicyJson, type ScopeJson, UnknownForm } from './policy-json.js';
import { InvalidInput, readUid } from './value-json.js';

/** What a template leaves open, by the slots' names: `?principal`, `?resource`. */
export type Slots = ReadonlyMap<string, EntityUid>;

/** Which entities one part of a scope admits. `keys` names them or their ancestors; undefined admits by type alone. */
export interface Constraint {
  readonly keys: readonly string[] | undefined;
  readonly type: string | undefined;
  /** Whether only the named entities themselves are admitted, and not their descendants. */
  readonly exact: boolean;
}

export interface Scope {
  readonly principal: Constraint;
  readonly action: Constraint;
  readonly resource: Constraint;
}

/** @throws UnknownForm */
export function scopeOf({ principal, action, resource }: PolicyJson, slots: Slots): Scope {
  return {
    principal: constraintOf(principal, slots),
    action: constraintOf(action, slots),
    resource: constraintOf(resource, slots),
  };
}

function constraintOf(json: ScopeJson, slots: Slots): Constraint {
  switch (json.op) {
    case 'All':
      return { keys: undefined, type: undefined, exact: false };
    case '==':
      return { keys: [keyIn(json, slots)], type: undefined, exact: true };
    case 'in': {
      const keys = json.entities?.map((entity) => keyIn({ entity }, slots)) ?? [keyIn(json, slots)];
      return { keys: [...new Set(keys)], type: undefined, exact: false };
    }
    case 'is':
      if (json.entity_type === undefined) throw new UnknownForm('`is` without a type');
      return {
        keys: json.in && [keyIn(json.in, slots)],
        type: json.entity_type,
        exact: false,
      };
    default:
      throw new UnknownForm(`\`${json.op}\` is not known in a scope`);
  }
}

function keyIn({ entity, slot }: Pick<ScopeJson, 'entity' | 'slot'>, slots: Slots): string {
  if (slot !== undefined) {
    const filled = slots.get(slot);
    if (filled === undefined) throw new UnknownForm(`slot \`${slot}\` is not filled`);
    return filled.key;
  }
  try {
    return readUid(entity, 'a scope').key;
  } catch (thrown) {
    if (thrown instanceof InvalidInput) throw new UnknownForm(thrown.message);
    throw thrown;
  }
}

/** Whether a request is in a scope; undefined where every request is. */
export function compileScope(scope: Scope): Test | undefined {
  const tests = (['principal', 'action', 'resource'] as const).flatMap((variable) => {
    const test = admits(scope[variable], variable);
    return test === undefined ? [] : [test];
  });
  const [first, second, third] = tests;
  if (first === undefined || second === undefined) return first;
  if (third === undefined) return (frame) => first(frame) && second(frame);
  return (frame) => first(frame) && second(frame) && third(frame);
}

function admits({ keys, type, exact }: Constraint, variable: keyof Scope): Test | undefined {
  const within = keys === undefined ? undefined : isAmong(keys, exact, variable);
  if (type === undefined) return within;
  if (within === undefined) return (frame) => frame[variable].type === type;
  return (frame) => frame[variable].type === type && within(frame);
}

function isAmong(keys: readonly string[], exact: boolean, variable: keyof Scope): Test {
  const [only] = keys;
  if (keys.length !== 1 || only === undefined)
    return (frame) => keys.some((key) => isWithin(frame, frame[variable], key));
  if (exact) return (frame: Frame) => frame[variable].key === only;
  return (frame) => isWithin(frame, frame[variable], only);
}
