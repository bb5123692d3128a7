/** One step of a pattern as policies in JSON write it. */
export type PatternStep = 'Wildcard' | { readonly Literal: string };

/**
 * What a `like` matches. Each run of literals between wildcards is found at its leftmost place and never tried again, so no
 * text makes the matching take more than length of the text times length of the pattern.
 */
export function compilePattern(steps: readonly PatternStep[]): (text: string) => boolean {
  const runs = [''];
  for (const step of steps) {
    if (step === 'Wildcard') runs.push('');
    else runs.push(`${runs.pop()}${step.Literal}`);
  }
  const [first = '', ...rest] = runs;
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  const inner = rest.filter((run) => run !== '');
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    for (const run of inner) {
      const at = text.indexOf(run, from);
      if (at === -1 || at + run.length > end) return false;
      from = at + run.length;
    }
    return true;
  };
}
