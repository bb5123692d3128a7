import { compileConditions } from './compile-expression.js';
import type { Test } from './frame.js';
import { markLongIntegers, restoreLongIntegers } from './long-integers.js';
import type { Scoped } from './policy-index.js';
import { type Effect, type PolicyJson, UnknownForm } from './policy-json.js';
import type { PolicyPart } from './policy-text.js';
import { policyJsonOf, ReferenceSet } from './reference.provider.js';
import { compileScope, type Scope, type Slots, scopeOf } from './scope.js';

/** What a policy or template is compiled to before it has an id: the same for the same text, so sets can share it. */
export interface PolicyBody {
  readonly part: PolicyPart;
  readonly json: PolicyJson;
  /** Undefined where there are none, or where the reference must evaluate them. */
  readonly conditions: Test | undefined;
  /** Why the compiler does not take the policy; undefined when it does. */
  readonly unknownForm: string | undefined;
}

/** @throws InvalidSource when the text is no policy */
export function compileBody(part: PolicyPart): PolicyBody {
  const written = policyJsonOf(part.text, part.isTemplate);
  try {
    const json =
      part.longIntegers.length === 0
        ? written
        : restoreLongIntegers(policyJsonOf(markLongIntegers(part), part.isTemplate), part);
    return { part, json, conditions: compileConditions(json.conditions), unknownForm: undefined };
  } catch (thrown) {
    if (!(thrown instanceof UnknownForm)) throw thrown;
    return { part, json: written, conditions: undefined, unknownForm: thrown.message };
  }
}

/** A policy that can be evaluated. */
export interface Policy extends Scoped {
  readonly id: string;
  /** Its place in the set, which orders reasons. */
  readonly order: number;
  readonly effect: Effect;
  readonly annotations: Readonly<Record<string, string>>;
  readonly text: string;
  readonly json: PolicyJson;
  readonly scope: Scope;
  /** Whether a request is in its scope, and whether its conditions hold; undefined where all are and they do. */
  readonly inScope: Test | undefined;
  readonly conditions: Test | undefined;
  readonly reference: ReferenceSet | undefined;
}

/** Expressions of unknown form that nest deeper are refused: cedar-wasm would overflow its stack on them. */
const REFERENCE_DEPTH_MAX = 200;

/** @throws UnknownForm when neither we nor the reference can evaluate it */
export function policyOf(
  { part, json, conditions, unknownForm }: PolicyBody,
  named: {
    readonly id: string;
    readonly order: number;
    readonly slots: Slots;
    readonly schema: string | undefined;
  },
): Policy {
  const { id, order, slots, schema } = named;
  const scope = scopeOf(json, slots);
  const common = {
    id,
    order,
    effect: json.effect,
    annotations: json.annotations ?? {},
    text: part.text,
    json,
    scope,
    inScope: compileScope(scope),
  };
  if (unknownForm === undefined) return { ...common, conditions, reference: undefined };
  if (depthOf(json.conditions) > REFERENCE_DEPTH_MAX)
    throw new UnknownForm(
      `\`${id}\` is of an unknown form (${unknownForm}) and nests too deep for the reference`,
    );
  const reference = new ReferenceSet(
    slots.size === 0 ? { staticPolicies: { [id]: part.text } } : linked(id, part.text, slots),
    schema,
  );
  return { ...common, conditions: undefined, reference };
}

function linked(id: string, text: string, slots: Slots): ConstructorParameters<typeof ReferenceSet>[0] {
  const values = Object.fromEntries(
    [...slots].map(([slot, { type, id: entityId }]) => [slot, { type, id: entityId }]),
  );
  // No link may be named as its template.
  const templateId = `template of ${id}`;
  return {
    staticPolicies: {},
    templates: { [templateId]: text },
    templateLinks: [{ templateId, newId: id, values }],
  };
}

function depthOf(json: unknown): number {
  if (typeof json !== 'object' || json === null) return 0;
  return 1 + Object.values(json).reduce((deepest: number, inner) => Math.max(deepest, depthOf(inner)), 0);
}
