/**
 * Which members of `context` policies can look at. What none of them reads is left out of the question: an amount that does
 * not fit Cedar's `decimal` is an error only where a policy compares amounts.
 */
export type ContextReads = ReadonlySet<string> | 'all';

/** @param expressions in Cedar's JSON form (docs.cedarpolicy.com, "JSON policy format"), of any depth */
export function contextReads(expressions: readonly unknown[]): ContextReads {
  const members = new Set<string>();
  const open = [...expressions];
  while (open.length > 0) {
    const next = open.pop();
    if (Array.isArray(next)) open.push(...next);
    if (!isExpression(next)) continue;
    const { Var: variable, Value: literal, Record: record } = next;
    // A literal holds no variables, and a record none among its names, whatever they are.
    if (literal !== undefined) continue;
    if (isExpression(record)) {
      open.push(...Object.values(record));
      continue;
    }
    if (variable === 'context') return 'all';
    const member = memberOfContext(next);
    if (member === undefined) open.push(...Object.values(next));
    else members.add(member);
  }
  return members;
}

type Expression = { readonly [operator: string]: unknown };

/** The member in `context.purpose`, `context has purpose` and `context has purpose.text`. */
function memberOfContext(expression: Expression): string | undefined {
  const access = expression['.'] ?? expression.has;
  if (!isExpression(access) || !isExpression(access.left)) return undefined;
  if (access.left.Var !== 'context') return undefined;
  const name: unknown = Array.isArray(access.attr) ? access.attr[0] : access.attr;
  return typeof name === 'string' ? name : undefined;
}

function isExpression(value: unknown): value is Expression {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
