import { usage } from './cli-failure.js';
import { exitCodeMeanings, exitCodes } from './exit-codes.js';
import { programOf } from './program.js';
import { referencePage } from './reference.js';
import type { LocalVerb, Tree } from './verb.js';

/** Topics beside the commands themselves. */
export const topics = ['exit-codes', 'reference'] as const;

/** @param tree read when a command runs: help is part of the tree it tells about */
export function helpVerb(tree: () => Tree): LocalVerb {
  return {
    name: 'help',
    doc: 'tell about a command, about `exit-codes`, or everything as one page: `reference`',
    args: [
      { name: 'TOPIC', doc: 'a noun, or one of exit-codes, reference', optional: true, choices: topics },
      { name: 'VERB', doc: 'a verb of the noun', optional: true },
    ],
    async run({ io, args }) {
      const [topic, verb] = args;
      if (topic === 'exit-codes') io.out.write(exitCodesText());
      else if (topic === 'reference') io.out.write(referencePage(tree()));
      else io.out.write(commandHelp(tree(), topic, verb, io));
      return exitCodes.ok;
    },
  };
}

function exitCodesText(): string {
  return exitCodeMeanings.map(([code, meaning]) => `${String(code).padStart(3)}  ${meaning}\n`).join('');
}

function commandHelp(
  tree: Tree,
  noun: string | undefined,
  verb: string | undefined,
  io: Parameters<typeof programOf>[1],
): string {
  let found = programOf(tree, io, async () => undefined);
  for (const name of [noun, verb]) {
    if (name === undefined) continue;
    const next = found.commands.find((command) => command.name() === name);
    if (next === undefined) throw usage(`\`${name}\` is no command`, 'writ help');
    found = next;
  }
  return found.helpInformation();
}
