/**
 * Which parts of a request a policy can look at. Only those are handed to the evaluator: each value that crosses into
 * WebAssembly costs microseconds, and what no policy reads cannot change an answer.
 */
export interface Reads {
  /** Members of `context`, or all of them. */
  readonly context: ReadonlySet<string> | 'all';
  /** Whether anything of the principal but its type is looked at. */
  readonly principal: boolean;
  /** Whether anything of the resource but its type is looked at. */
  readonly resource: boolean;
  /** Whether ancestors of the action may be looked at. */
  readonly action: boolean;
}

export const readsNothing: Reads = { context: new Set(), principal: false, resource: false, action: false };

export function joinReads(a: Reads, b: Reads): Reads {
  return {
    context: a.context === 'all' || b.context === 'all' ? 'all' : new Set([...a.context, ...b.context]),
    principal: a.principal || b.principal,
    resource: a.resource || b.resource,
    action: a.action || b.action,
  };
}

/** The parts of a policy in Cedar's JSON form (docs.cedarpolicy.com, "JSON policy format") that matter here. */
export interface PolicyForm {
  readonly principal: { readonly op: string };
  readonly action: { readonly op: string };
  readonly resource: { readonly op: string; readonly in?: unknown };
  readonly conditions: readonly { readonly body: unknown }[];
}

export function readsOf(policy: PolicyForm): Reads {
  const scope = {
    context: new Set<string>(),
    principal: looksBeyondType(policy.principal),
    resource: looksBeyondType(policy.resource),
    action: policy.action.op === 'in',
  };
  return policy.conditions.reduce<Reads>((reads, { body }) => joinReads(reads, readsIn(body)), scope);
}

function looksBeyondType(constraint: { readonly op: string; readonly in?: unknown }): boolean {
  return constraint.op === '==' || constraint.op === 'in' || constraint.in !== undefined;
}

type Expression = { readonly [operator: string]: unknown };

function readsIn(expression: unknown): Reads {
  if (Array.isArray(expression)) return expression.map(readsIn).reduce(joinReads, readsNothing);
  if (!isExpression(expression)) return readsNothing;
  const { Var: variable, Value: value, Record: record } = expression;
  if (typeof variable === 'string') return readsWhole(variable);
  // A literal holds no variables, whatever its members are called; but it may name the very entity that asks.
  if (value !== undefined) return readsOfLiteral(value);
  if (isExpression(record)) return Object.values(record).map(readsIn).reduce(joinReads, readsNothing);
  const member = memberOfContext(expression);
  if (member !== undefined) return { ...readsNothing, context: new Set([member]) };
  return Object.values(expression).map(readsIn).reduce(joinReads, readsNothing);
}

/** The member in `context.purpose`, `context has purpose` and `context has purpose.text`. */
function memberOfContext(expression: Expression): string | undefined {
  const access = expression['.'] ?? expression.has;
  if (!isExpression(access) || !isExpression(access.left)) return undefined;
  if (access.left.Var !== 'context') return undefined;
  const name: unknown = Array.isArray(access.attr) ? access.attr[0] : access.attr;
  return typeof name === 'string' ? name : undefined;
}

function readsOfLiteral(value: unknown): Reads {
  const named = isExpression(value) && isExpression(value.__entity) ? value.__entity.type : undefined;
  const of = (type: string) => named === type;
  return { ...readsNothing, principal: of('Agent'), resource: of('Resource'), action: of('Action') };
}

function readsWhole(variable: string): Reads {
  return {
    context: variable === 'context' ? 'all' : new Set(),
    principal: variable === 'principal',
    resource: variable === 'resource',
    action: variable === 'action',
  };
}

function isExpression(value: unknown): value is Expression {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
