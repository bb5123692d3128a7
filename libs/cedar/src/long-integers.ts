import { UnknownForm } from './policy-json.js';
import type { PolicyPart } from './policy-text.js';

/**
 * The reference gives policies as JSON, and integers beyond 2^53 are rounded on that way. So they are written as texts before
 * it parses the policy, and become integers again in what comes back.
 */
const MARK = 'writ-long-integer:';

/** The policy with its long integers as marked texts. */
export function markLongIntegers({ text, longIntegers }: PolicyPart): string {
  let marked = text;
  for (const { start, end } of longIntegers.toReversed())
    marked = `${marked.slice(0, start)}"${MARK}${marked.slice(start, end)}"${marked.slice(end)}`;
  return marked;
}

/** @throws UnknownForm when there are not as many marked texts as integers: the policy has such a text of its own */
export function restoreLongIntegers<Json>(json: Json, { longIntegers }: PolicyPart): Json {
  let restored = 0;
  const integerOf = ({ Value: marked }: Marked): bigint => {
    restored += 1;
    return BigInt(marked.slice(MARK.length));
  };
  const restore = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(restore);
    if (typeof node !== 'object' || node === null) return node;
    const { neg } = node as { neg?: unknown };
    if (isMarked(node)) return { Value: integerOf(node) };
    // -2^63 is an integer, 2^63 is none: the sign belongs to it.
    const arg = (neg as { arg?: unknown } | undefined)?.arg;
    if (isMarked(arg)) return { Value: -integerOf(arg) };
    return Object.fromEntries(Object.entries(node).map(([name, inner]) => [name, restore(inner)]));
  };
  const whole = restore(json) as Json;
  if (restored !== longIntegers.length) throw new UnknownForm('a text looks like a marked integer');
  return whole;
}

interface Marked {
  readonly Value: string;
}

function isMarked(node: unknown): node is Marked {
  const value = (node as { Value?: unknown } | null)?.Value;
  return typeof value === 'string' && value.startsWith(MARK);
}
