import { usage } from './cli-failure.js';
import { formats, globalFlags } from './cli-settings.js';
import { contract } from './contract.js';
import { exitCodes } from './exit-codes.js';
import { fieldAt, optionsOf } from './request.js';
import { extrasOf, isCall, isNoun, type LocalVerb, type Tree, type Verb } from './verb.js';

const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;

/** Prints a script for a shell. Ids are not completed: that would be a call to a service for every Tab. */
export function completionVerb(tree: () => Tree): LocalVerb {
  return {
    name: 'completion',
    doc: 'print a completion script, as in `source <(writ completion bash)`',
    args: [{ name: 'SHELL', doc: shells.join(', '), choices: shells }],
    async run({ io, args }) {
      const shell = shells.find((known) => known === args[0]);
      if (shell === undefined)
        throw usage(`\`${args[0]}\` is no shell that is known here`, `one of ${shells.join(', ')}`);
      io.out.write(scripts[shell](candidates(tree())));
      return exitCodes.ok;
    },
  };
}

/** What may follow what: by the words so far, and by the flag just before. */
export interface Candidates {
  /** `` → nouns, `agent` → its verbs, `agent list` → its flags. */
  readonly after: ReadonlyMap<string, readonly string[]>;
  /** `agent list --state` → its values. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export function candidates(tree: Tree): Candidates {
  const after = new Map<string, readonly string[]>([['', tree.map(({ name }) => name)]]);
  const values = new Map<string, readonly string[]>();
  const global = globalFlags.flatMap(({ flags }) => flags.match(/--?[a-z][a-z-]*/g) ?? []);
  const add = (path: string, verb: Verb) => {
    const choices = (verb.args ?? []).flatMap(({ choices: some = [] }) => some);
    const options = isCall(verb) ? optionsOf(verb) : [];
    const own = [...options, ...extrasOf(verb)].map(({ flag }) => `--${flag}`);
    after.set(path, [...choices, ...own, ...global]);
    if (!isCall(verb)) return;
    for (const { flag, field } of options) {
      const { kind, typeName } = fieldAt(verb.rpc.request, field);
      if (kind === 'enum') values.set(`${path} --${flag}`, contract.words(typeName));
    }
  };
  for (const branch of tree) {
    if (!isNoun(branch)) {
      add(branch.name, branch);
      continue;
    }
    after.set(
      branch.name,
      branch.verbs.map(({ name }) => name),
    );
    for (const verb of branch.verbs) add(`${branch.name} ${verb.name}`, verb);
  }
  values.set('-o', formats);
  values.set('--output', formats);
  return { after, values };
}

const scripts: Readonly<Record<(typeof shells)[number], (known: Candidates) => string>> = {
  bash,
  zsh: (known) => `#compdef writ\nautoload -U +X bashcompinit && bashcompinit\n${bash(known)}`,
  fish,
  powershell,
};

function bash({ after, values }: Candidates): string {
  return `_writ() {
  local cur prev path candidates i word
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  path=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$path $word" in
${[...after.keys()]
  .filter((path) => path !== '')
  .map((path) => `      "${path.includes(' ') ? path : ` ${path}`}") path='${path}' ;;`)
  .join('\n')}
    esac
  done
  case "$prev" in
${global(values)
  .map(([flag, words]) => `    ${flag}) candidates='${words.join(' ')}' ;;`)
  .join('\n')}
    *) case "$path $prev" in
${own(values)
  .map(([flag, words]) => `      '${flag}') candidates='${words.join(' ')}' ;;`)
  .join('\n')}
      *) case "$path" in
${[...after].map(([path, words]) => `        '${path}') candidates='${words.join(' ')}' ;;`).join('\n')}
      esac ;;
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$cur"))
  if [[ \${#COMPREPLY[@]} -eq 0 && "$prev" == --* ]]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}
complete -F _writ writ
`;
}

function fish({ after, values }: Candidates): string {
  const lines = [...after].flatMap(([path, words]) => {
    const seen = path === '' ? '__fish_use_subcommand' : seenInFish(path);
    const plain = words.filter((word) => !word.startsWith('-'));
    const flags = words.filter((word) => word.startsWith('--'));
    return [
      ...(plain.length === 0 ? [] : [`complete -c writ -f -n '${seen}' -a '${plain.join(' ')}'`]),
      ...flags.map((flag) => {
        const known = values.get(`${path} ${flag}`) ?? values.get(flag);
        const choices = known === undefined ? '' : ` -x -a '${known.join(' ')}'`;
        return `complete -c writ -n '${seen}' -l ${flag.slice(2)}${choices}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** A noun's verbs are offered until one of them is there. */
function seenInFish(path: string): string {
  return path
    .split(' ')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join('; and ');
}

function powershell({ after, values }: Candidates): string {
  const rows = (known: ReadonlyMap<string, readonly string[]>) =>
    [...known].map(([key, words]) => `    '${key}' = '${words.join(' ')}'`).join('\n');
  return `Register-ArgumentCompleter -Native -CommandName writ -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $after = @{
${rows(after)}
  }
  $values = @{
${rows(values)}
  }
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($wordToComplete -ne '' -and $words.Count -gt 0) { $words = @($words | Select-Object -SkipLast 1) }
  $path = ''
  foreach ($word in $words) {
    $longer = "$path $word".Trim()
    if ($after.ContainsKey($longer)) { $path = $longer }
  }
  $previous = if ($words.Count -gt 0) { $words[-1] } else { '' }
  $found = $values["$path $previous"]
  if (-not $found) { $found = $values[$previous] }
  if (-not $found) { $found = $after[$path] }
  "$found".Split(' ') | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function global(values: Candidates['values']): readonly (readonly [string, readonly string[]])[] {
  return [...values].filter(([key]) => !key.includes(' '));
}

function own(values: Candidates['values']): readonly (readonly [string, readonly string[]])[] {
  return [...values].filter(([key]) => key.includes(' '));
}
