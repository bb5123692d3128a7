/**
 * JSON without loss of integers. `JSON.parse` rounds integers beyond 2^53 and makes `1.0` a 1, which Cedar takes for no
 * integer; here the former become a `bigint` and the latter an `Inexact`.
 */
export class Inexact {
  constructor(readonly source: string) {}
}

const integer = /^-?(?:0|[1-9]\d*)$/;

/** @throws SyntaxError when the text is no JSON */
export function parseJson(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number') return value;
    const source = context?.source ?? '';
    if (!integer.test(source) || source === '-0') return new Inexact(source);
    return Number.isSafeInteger(value) ? value : BigInt(source);
  });
}

/** The same value as cedar-wasm can take it: it passes its argument through `JSON.stringify`. */
export function toRawJson(value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(value.toString());
  if (value instanceof Inexact) return rawJson(value.source);
  if (Array.isArray(value)) return value.map(toRawJson);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [name, inner] of Object.entries(value)) copy[name] = toRawJson(inner);
  return copy;
}

function rawJson(source: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
}
