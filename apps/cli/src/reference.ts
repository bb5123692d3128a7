import { globalFlags } from './cli-settings.js';
import { exitCodeMeanings } from './exit-codes.js';
import { extraUsage, optionUsage, placeholder } from './program.js';
import { optionsOf } from './request.js';
import { extrasOf, isCall, isNoun, type Tree, type Verb } from './verb.js';

/** `docs/cli.md`: everything that the tree knows, as one page. */
export function referencePage(tree: Tree): string {
  const nouns = tree.filter(isNoun);
  const verbs = tree.flatMap((branch) => (isNoun(branch) ? [] : [branch]));
  return [
    '# `writ`',
    '',
    'Made by `writ help reference`; a test fails when it is out of date.',
    '',
    '## Flags of every command',
    '',
    ...table(
      ['flag', 'meaning'],
      globalFlags.map(({ flags, doc }) => [code(flags), doc]),
    ),
    '',
    '## Exit codes',
    '',
    ...table(
      ['code', 'meaning'],
      exitCodeMeanings.map(([number, meaning]) => [String(number), meaning]),
    ),
    '',
    '## Commands that stand alone',
    '',
    ...verbs.flatMap((verb) => section(verb.name, verb)),
    ...nouns.flatMap(({ name, doc, verbs: own }) => [
      `## \`${name}\``,
      '',
      `${sentence(doc)}`,
      '',
      ...own.flatMap((verb) => section(`${name} ${verb.name}`, verb)),
    ]),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function section(title: string, verb: Verb): string[] {
  const args = (verb.args ?? []).map((argument) => [code(placeholder(argument)), argument.doc]);
  const flags = [
    ...(isCall(verb) ? optionsOf(verb).map((option) => optionUsage(verb, option)) : []),
    ...extrasOf(verb).map(({ flag, value, doc }) => ({
      flags: extraUsage({ flag, value }),
      doc,
    })),
  ].map(({ flags: written, doc }) => [code(written), doc]);
  const usage = ['writ', title, ...(verb.args ?? []).map(placeholder)].join(' ');
  const rows = [...args, ...flags];
  return [
    `### \`${usage}\``,
    '',
    sentence(verb.doc),
    ...(isCall(verb) ? ['', `Calls \`${verb.rpc.title}\`.`] : []),
    '',
    ...(rows.length === 0 ? [] : [...table(['argument or flag', 'meaning'], rows), '']),
  ];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(heads), row(heads.map(() => '---')), ...rows.map(row)];
}

function code(text: string): string {
  return `\`${text}\``;
}

function sentence(doc: string): string {
  return `${doc.charAt(0).toUpperCase()}${doc.slice(1)}.`;
}
