/**
 * A policy with more brackets inside each other, or heavier operators, is refused: cedar-wasm's stack would not hold it, and
 * after an overflow the module answers nothing any more. Measured: it ends at 110 to 130 brackets, 1 200 times `if`, 2 400
 * times `.` or `+` and 5 000 times `&&`.
 */
export const NESTING_MAX = 64;
export const WEIGHT_MAX = 1_000;
const operatorWeights: ReadonlyMap<string, number> = new Map([
  ['if', 3],
  ...['.', '[', '+', '-', '*'].map((sign) => [sign, 1] as const),
  // Each is two signs: `&&` and `||` weigh a half.
  ['&', 0.25],
  ['|', 0.25],
]);

/** One policy or template, as it stands in a text. */
export interface PolicyPart {
  readonly text: string;
  /** Where it starts in the whole text, in UTF-16 units. */
  readonly at: number;
  /** The deepest nesting of brackets, and the weight of all operators. */
  readonly nesting: number;
  readonly weight: number;
  /** Whether it names `?principal` or `?resource`. */
  readonly isTemplate: boolean;
  /** Integers that a JavaScript number cannot hold: where they stand in `text`. */
  readonly longIntegers: readonly { readonly start: number; readonly end: number }[];
}

type Kind = 'space' | 'text' | 'name' | 'number' | 'slot' | 'sign';
interface Token {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
}

/** A rounded integer has 16 digits at least. */
const LONG_DIGITS_MIN = 16;
/** The policies of a text, each with its `;` and the comments inside. What stands behind the last `;` is a part too. */
export function partsOf(text: string): readonly PolicyPart[] {
  const parts: PolicyPart[] = [];
  let part = newPart(0);
  let depth = 0;
  for (const token of tokensOf(text)) {
    const written = text.slice(token.start, token.end);
    note(part, token, written);
    if (token.kind !== 'sign') continue;
    if ('([{'.includes(written)) part.nesting = Math.max(part.nesting, ++depth);
    else if (')]}'.includes(written)) depth -= 1;
    else if (written === ';') {
      parts.push({ ...part, text: text.slice(part.at, token.end) });
      part = newPart(token.end);
      depth = 0;
    }
  }
  return part.isEmpty ? parts : [...parts, { ...part, text: text.slice(part.at) }];
}

function newPart(at: number) {
  const longIntegers: { start: number; end: number }[] = [];
  return { at, nesting: 0, weight: 0, isTemplate: false, isEmpty: true, longIntegers };
}

function note(part: ReturnType<typeof newPart>, { kind, start, end }: Token, written: string): void {
  if (kind === 'space') {
    if (part.isEmpty) part.at = end;
    return;
  }
  part.isEmpty = false;
  if (kind === 'slot') part.isTemplate = true;
  if (kind === 'name' || kind === 'sign') part.weight += operatorWeights.get(written) ?? 0;
  if (kind === 'number' && end - start >= LONG_DIGITS_MIN && !Number.isSafeInteger(Number(written)))
    part.longIntegers.push({ start: start - part.at, end: end - part.at });
}

/** How deep brackets nest in a schema, where `<` and `>` are brackets too. */
export function schemaNesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const { kind, start, end } of tokensOf(text)) {
    const written = kind === 'sign' ? text.slice(start, end) : '';
    if (written !== '' && '([{<'.includes(written)) deepest = Math.max(deepest, ++depth);
    else if (written !== '' && ')]}>'.includes(written)) depth -= 1;
  }
  return deepest;
}

function* tokensOf(text: string): Generator<Token> {
  for (let start = 0; start < text.length; ) {
    const [kind, end] = tokenAt(text, start);
    yield { kind, start, end };
    start = end;
  }
}

function tokenAt(text: string, start: number): readonly [Kind, number] {
  const first = text[start] as string;
  if (first === '"') return ['text', endOfText(text, start + 1)];
  if (text.startsWith('//', start)) return ['space', endOf(text, start, /[^\n\r]/)];
  if (/\s/.test(first)) return ['space', endOf(text, start, /\s/)];
  if (/[A-Za-z_]/.test(first)) return ['name', endOf(text, start, /[A-Za-z0-9_]/)];
  if (/\d/.test(first)) return ['number', endOf(text, start, /\d/)];
  if (first === '?') return ['slot', endOf(text, start + 1, /[A-Za-z0-9_]/)];
  return ['sign', start + 1];
}

function endOf(text: string, start: number, characters: RegExp): number {
  let end = start;
  while (end < text.length && characters.test(text[end] as string)) end += 1;
  return end;
}

function endOfText(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}
