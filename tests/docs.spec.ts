import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { tree } from '@writ/cli/tree.js';
import { isNoun } from '@writ/cli/verb.js';

const read = (path: string) => readFileSync(path, 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const nouns = new Map(
  tree.map((branch) => [branch.name, isNoun(branch) ? branch.verbs.map(({ name }) => name) : undefined]),
);

/** Files and folders of the repository that a page names. A pattern (`*`, `<noun>`, `…`) names none. */
function pathsIn(text: string): string[] {
  const named =
    text.match(/(?<![\w./@-])(?:apps|libs|proto|tests|scripts|docs|deploy|bench)\/[^\s`'"()[\]|,;:]+/g) ?? [];
  return named.filter((path) => !/[*<>…{}]/.test(path)).map((path) => path.replace(/[.]+$/, ''));
}

/** Targets of links to files, from the root. */
function linksIn(page: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '');
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(page), target)));
}

/** Every line that a reader would run, with continued lines put together. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
  return blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
}

function unknownScripts(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [, ran, plain] = /\bnpm (?:run (?:-s )?([\w:-]+)|(start|test)\b)/.exec(line) ?? [];
    const name = ran ?? plain;
    return name === undefined || name in scripts ? [] : [line.trim()];
  });
}

/** Commands of the CLI that do not exist; `writ` at the start of a line or of a substitution. */
function unknownCommands(lines: readonly string[]): string[] {
  return lines.flatMap((line) =>
    [...line.matchAll(/(?:^\s*|\$\(|[{;|] )writ ([a-z-]+)(?: ([a-z-]+))?/g)].flatMap(
      ([whole, noun, verb]) => {
        const verbs = nouns.get(noun ?? '');
        const known = nouns.has(noun ?? '') && (verbs === undefined || verbs.includes(verb ?? ''));
        return known ? [] : [whole.trim()];
      },
    ),
  );
}

describe('what is written about the house', () => {
  it('is there', () => expect(pages.length).toBeGreaterThan(20));

  it.each(pages)('names only files that exist in %s', (page) =>
    expect(pathsIn(read(page)).filter((path) => !existsSync(path))).toEqual([]),
  );
  it('would notice a file that is gone', () =>
    expect(pathsIn('see apps/registry/src/gone.ts.').filter((path) => !existsSync(path))).toHaveLength(1));
  it.each(['docs/flows/authorize.md', 'docs/flows/a-fact.md'])('has boxes that are files in %s', (page) =>
    expect(pathsIn(read(page)).filter((path) => path.endsWith('.ts')).length).toBeGreaterThan(20),
  );

  it.each(pages)('links to pages that exist in %s', (page) =>
    expect(linksIn(page, read(page)).filter((path) => !existsSync(path))).toEqual([]),
  );
  it('would notice a link to nowhere', () =>
    expect(linksIn('docs/a.md', 'see [b](../b.md)').filter((path) => !existsSync(path))).toEqual(['b.md']));

  it('names only scripts of npm that exist', () =>
    expect(
      ['README.md', 'CONTRIBUTING.md'].flatMap((page) => unknownScripts(commandsIn(read(page)))),
    ).toEqual([]));
  it('would notice a script that does not exist', () =>
    expect(unknownScripts(['npm run dance', 'npm test'])).toEqual(['npm run dance']));

  it('names only commands of `writ` that exist', () => {
    const lines = ['README.md', 'docs/first-policy.md'].flatMap((page) => commandsIn(read(page)));
    expect(lines.filter((line) => /\bwrit [a-z]/.test(line)).length).toBeGreaterThan(30);
    expect(unknownCommands(lines)).toEqual([]);
  });
  it.each(['writ agent dance', 'X=$(writ wizard list)', 'go() { writ nothing; }'])(
    'would notice that `%s` does not exist',
    (line) => expect(unknownCommands([line])).toHaveLength(1),
  );
});
