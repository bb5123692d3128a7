/** One policy of a text, as people compare it. */
export interface NamedPolicy {
  /** Of its `@id`; `without @id` where it has none. */
  readonly id: string;
  /** From its first annotation or its effect to its semicolon: comments above it do not count. */
  readonly text: string;
}

/**
 * The policies of a Cedar text, by strings, comments and semicolons alone: the command line has no parser of Cedar, and
 * a text that does not parse can be compared too.
 */
export function policiesOf(text: string): readonly NamedPolicy[] {
  const found: NamedPolicy[] = [];
  let start = -1;
  for (const { index, 0: token } of text.matchAll(/\/\/[^\n]*|"(?:\\.|[^"\\])*"|;|[^\s;"/]+|\//g)) {
    if (token.startsWith('//')) continue;
    if (start < 0 && token !== ';') start = index;
    if (token !== ';' || start < 0) continue;
    found.push(named(text.slice(start, index + 1)));
    start = -1;
  }
  if (start >= 0) found.push(named(text.slice(start).trimEnd()));
  return found;
}

function named(text: string): NamedPolicy {
  const [, id = 'without @id'] = /@id\s*\(\s*"((?:\\.|[^"\\])*)"\s*\)/.exec(text) ?? [];
  return { id, text };
}
