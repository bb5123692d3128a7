/** What is wrong with policies or a schema, and where. */
export interface SourceProblem {
  readonly source: 'policies' | 'schema';
  /** From 1, in characters as editors count them; 0 where the whole is meant. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The line and a caret below the column; empty where the whole is meant. */
  readonly excerpt: string;
}

/** Policies or a schema that cannot be used. */
export class InvalidSource extends Error {
  override name = 'InvalidSource';

  constructor(readonly problems: readonly SourceProblem[]) {
    super(problems.map(described).join('\n'));
  }
}

function described({ source, line, column, message, excerpt }: SourceProblem): string {
  return line === 0 ? `${source}: ${message}` : `${source} ${line}:${column}: ${message}\n${excerpt}`;
}

const EXCERPT_MAX = 160;

/** @param at where, in UTF-16 units of the text; undefined for the whole */
export function problemAt(
  source: SourceProblem['source'],
  text: string,
  at: number | undefined,
  message: string,
): SourceProblem {
  if (at === undefined) return { source, line: 0, column: 0, message, excerpt: '' };
  const before = text.slice(0, at).split('\n');
  const indent = before.at(-1) ?? '';
  const rest = text.slice(at).split('\n', 1)[0] ?? '';
  const shown = `${indent}${rest}`.replaceAll('\r', '').slice(0, EXCERPT_MAX);
  const caret = `${indent.replace(/[^\t]/g, ' ')}^`;
  return {
    source,
    line: before.length,
    column: indent.length + 1,
    message,
    excerpt: indent.length < EXCERPT_MAX ? `${shown}\n${caret}` : '',
  };
}
