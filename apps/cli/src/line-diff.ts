/** Lines of context around a change. */
const around = 3;

/** How one text becomes the other, as lines that begin with a space, `-` or `+`; none when they are equal. */
export function lineDiff(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const [a, b] = [before.split('\n'), after.split('\n')];
  const start = commonLength(a, b);
  const end = commonLength(a.slice(start).reverse(), b.slice(start).reverse());
  const middle = changes(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const same = (lines: readonly string[]) => lines.map((line) => ` ${line}`);
  return near([...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))]);
}

function commonLength(a: readonly string[], b: readonly string[]): number {
  const index = a.findIndex((line, at) => line !== b[at]);
  return index < 0 ? Math.min(a.length, b.length) : index;
}

/** By the longest common subsequence of lines. */
function changes(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  // common[i * width + j]: how many lines are common to what follows a[i] and b[j].
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(` ${a[i]}`);
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`-${a[i]}`);
      i += 1;
    } else {
      lines.push(`+${b[j]}`);
      j += 1;
    }
  }
  return lines;
}

/** What is far from every change is left out, and `…` stands for it. */
function near(lines: readonly string[]): readonly string[] {
  const isChange = (at: number) => lines[at] !== undefined && !lines[at].startsWith(' ');
  const isNear = (at: number) => {
    for (let other = at - around; other <= at + around; other += 1) if (isChange(other)) return true;
    return false;
  };
  return lines.flatMap((line, at) => {
    if (isNear(at)) return [line];
    return at === 0 || isNear(at - 1) ? [' …'] : [];
  });
}
