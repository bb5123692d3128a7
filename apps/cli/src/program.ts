import { Command, Option as CommanderOption } from 'commander';
import { globalFlags } from './cli-settings.js';
import { contract } from './contract.js';
import type { Io } from './io.js';
import { camel, fieldAt, optionsOf } from './request.js';
import {
  type Argument,
  type CallVerb,
  type Extra,
  extrasOf,
  isCall,
  isNoun,
  type Option,
  type Tree,
  type Verb,
} from './verb.js';

/** What was found on the command line. */
export interface Found {
  /** `agent suspend` */
  readonly title: string;
  readonly verb: Verb;
  readonly args: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Commander's view of the tree. It parses and writes help; `run` hears what was found. */
export function programOf(tree: Tree, io: Io, run: (found: Found) => Promise<void>): Command {
  const program = new Command('writ')
    .description('identity and access management for autonomous AI agents')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .exitOverride();
  for (const { flags, doc } of globalFlags) program.option(flags, doc);
  for (const branch of tree) {
    if (isNoun(branch)) {
      const noun = program.command(branch.name).description(branch.doc).helpCommand(false);
      for (const verb of branch.verbs) addVerb(noun, verb, `${branch.name} ${verb.name}`, run);
    } else addVerb(program, branch, branch.name, run);
  }
  return program;
}

function addVerb(parent: Command, verb: Verb, title: string, run: (found: Found) => Promise<void>): void {
  const command = parent.command(verb.name).description(verb.doc).allowExcessArguments(false);
  for (const argument of verb.args ?? []) command.argument(placeholder(argument), argument.doc);
  if (isCall(verb)) for (const option of optionsOf(verb)) command.addOption(contractOption(verb, option));
  for (const extra of extrasOf(verb)) command.option(extraUsage(extra), extra.doc);
  command.action(async () => {
    const flags = command.optsWithGlobals();
    await run({ title, verb, args: command.args, flags });
  });
}

/** How a flag of the command itself is written. */
export function extraUsage({ flag, value }: Pick<Extra, 'flag' | 'value'>): string {
  const long = value === undefined ? `--${flag}` : `--${flag} <${value}>`;
  return flag === 'file' ? `-f, ${long}` : long;
}

export function placeholder({ name, optional }: Argument): string {
  return optional ? `[${name}]` : `<${name}>`;
}

function contractOption(verb: CallVerb, option: Option): CommanderOption {
  const field = fieldAt(verb.rpc.request, option.field);
  const { flags, doc } = optionUsage(verb, option);
  const built = new CommanderOption(flags, doc);
  if (!field.repeated) return built;
  return built.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
}

/** How a flag is written, and its sentence with the choices that the contract leaves. */
export function optionUsage(verb: CallVerb, option: Option): { flags: string; doc: string } {
  const field = fieldAt(verb.rpc.request, option.field);
  const words = field.kind === 'enum' ? `: ${contract.words(field.typeName).join(', ')}` : '';
  const doc = `${option.doc}${words}${field.repeated ? ' (repeatable)' : ''}${option.required ? ' (needed)' : ''}`;
  return {
    flags: field.kind === 'bool' ? `--${option.flag}` : `--${option.flag} <${valueName(verb, option)}>`,
    doc,
  };
}

function valueName(verb: CallVerb, option: Option): string {
  const { kind, name, typeName } = fieldAt(verb.rpc.request, option.field);
  if (option.fromFile) return 'FILE';
  if (kind === 'message') {
    if (typeName === 'google.protobuf.Timestamp') return option.past ? 'TIME|AGO' : 'TIME|IN';
    return typeName === 'writ.type.v1.Position' ? 'SOURCE:POS' : 'KEY=VALUE,…|@FILE';
  }
  if (kind === 'int' || kind === 'bigint') return 'N';
  return /_ids?$/.test(name) ? 'ID' : name.slice(name.lastIndexOf('_') + 1).toUpperCase();
}

/** The flags of the command itself, by the names they are written with. */
export function extrasFound(
  verb: Verb,
  flags: Found['flags'],
): Readonly<Record<string, string | true | undefined>> {
  return Object.fromEntries(
    extrasOf(verb).map(({ flag }) => {
      const value = flags[camel(flag)];
      return [flag, value === true || typeof value === 'string' ? value : undefined];
    }),
  );
}
