/** What is wrong with a policy set, and where; lines and columns from 1, 0 where the problem has no one place. */
interface Problem {
  readonly field: 'policies' | 'schema';
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * In the order of the text, each once. Cedar tells the same slip again for each action that the policy may be asked about,
 * in no order, and calls the policy by a number that nobody gave it.
 */
export function gathered<P extends Problem>(problems: readonly P[]): readonly P[] {
  const bySlip = Map.groupBy(
    problems
      .map((one) => ({ ...one, message: one.message.replace(/^for policy `policy\d+`, /, '') }))
      .sort(byPlace),
    ({ field, line, column, message }) =>
      JSON.stringify([field, line, column, message.replaceAll(/Action::"[^"]*"/g, '')]),
  );
  return [...bySlip.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const more = others.length === 1 ? 'another action' : `${others.length} other actions`;
    return [others.length === 0 ? first : { ...first, message: `${first.message}; the same for ${more}` }];
  });
}

function byPlace(a: Problem, b: Problem): number {
  const order = a.field.localeCompare(b.field) || a.line - b.line || a.column - b.column;
  return order || (a.message < b.message ? -1 : a.message > b.message ? 1 : 0);
}

const widthMax = 120;
/** Takes no room, or shows the text in another order than it is read. */
const hidden = /[^\P{Cc}\n\r\t]|[\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * The line in question and, below it, a caret under the place. Of a long line, what surrounds the place.
 * @param line from 1; 0 where the problem has no one place, which has no excerpt
 * @param column from 1, in UTF-16 units
 */
export function excerptOf(text: string, line: number, column: number): string {
  const whole = line === 0 ? undefined : text.split('\n')[line - 1]?.replace(/\r$/, '');
  if (whole === undefined) return '';
  const from = Math.max(0, Math.min(column - 1 - widthMax / 2, whole.length - widthMax));
  const shown = whole.slice(from, from + widthMax);
  // Tabs stay tabs, so that the caret stands right at any width of them.
  const indent = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  return `${shown}\n${indent}^`;
}

/** What a reviewer cannot see must not decide: the first such character of each text. */
export function hiddenProblems(texts: Readonly<Record<Problem['field'], string>>): readonly Problem[] {
  return (['policies', 'schema'] as const).flatMap((field) => {
    const found = hidden.exec(texts[field]);
    if (found === null) return [];
    const before = texts[field].slice(0, found.index).split('\n');
    const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    return [{ field, ...place, message: `the character U+${code} cannot be seen; remove it` }];
  });
}
