import type { CliSettings } from './cli-settings.js';
import type { ExitCode } from './exit-codes.js';
import type { Io } from './io.js';
import type { Json, JsonObject } from './json.js';
import type { Rpc } from './rpc.js';
import type { Shape } from './shape.js';
import type { Suite } from './suite.js';

/** A positional argument: a field of the request, or of the command alone. */
export interface Argument {
  /** As shown in usage: `AGENT`. */
  readonly name: string;
  /** Dotted path of the request's field, as in the contract; undefined when the command itself uses it. */
  readonly field?: string;
  readonly doc: string;
  readonly optional?: true;
  /** Fills several fields from one text, or from files that it names, in JSON; throws CliFailure for what it cannot read. */
  read?(text: string, files: Suite['files']): JsonObject | Promise<JsonObject>;
  /** What it may be, for completion and help. */
  readonly choices?: readonly string[];
}

/** A flag that fills a field of the request; the contract says of what type it is. */
export interface Option {
  readonly flag: string;
  readonly field: string;
  readonly doc: string;
  readonly required?: true;
  /** Durations count backwards from now. */
  readonly past?: true;
  /** The flag names a file, `-` for standard input, whose content is the value. */
  readonly fromFile?: true;
}

/** A flag of the command itself. */
export interface Extra {
  readonly flag: string;
  /** Placeholder of its value; undefined for a switch. */
  readonly value?: string;
  readonly doc: string;
}

/** What is asked before something is done that cannot be undone. */
export type Confirm =
  | { readonly kind: 'yes'; readonly question: string }
  /** Field whose value has to be typed. */
  | { readonly kind: 'typed'; readonly field: string; readonly question: string };

/** Done when the answer is there: keep a token, finish a profile, say what comes next. */
export type After = (answer: JsonObject) => Promise<void>;

interface AnyVerb {
  readonly name: string;
  /** One sentence, lower case, no final stop. */
  readonly doc: string;
  readonly args?: readonly Argument[];
  readonly extras?: readonly Extra[];
}

/** A verb that is one call of the API. */
export interface CallVerb extends AnyVerb {
  readonly rpc: Rpc;
  readonly shape: Shape;
  readonly options?: readonly Option[];
  /** Takes `-f FILE` with the whole request. */
  readonly file?: true;
  /** A list with pages: its field in the answer, in JSON. */
  readonly pages?: string;
  readonly confirm?: Confirm;
  /** Fields that the command fills from the profile, and what stands for them where nothing is sent. */
  readonly fills?: Readonly<Record<string, Json>>;
  /** Completes the request; may answer with what is to be done afterwards. Not run when nothing is sent. */
  before?(work: Work): Promise<After | undefined>;
  /** Calls in its own way: polls, or reads a stream. */
  send?(work: Work): Promise<JsonObject>;
  /** What the answer means; `ok` when absent. */
  verdict?(answer: JsonObject): ExitCode;
  /** A line for people after the answer. */
  hint?(answer: JsonObject): string;
  /** Whether the answer is printed; it is, when absent. */
  prints?(work: Work): boolean;
  /** Secret fields of the answer, in JSON, with the switch that prints each; empty where none does. */
  readonly hides?: Readonly<Record<string, string>>;
}

/** A verb that is more than one call, or none. */
export interface LocalVerb extends AnyVerb {
  run(work: Work): Promise<ExitCode>;
}

export type Verb = CallVerb | LocalVerb;

export interface Noun {
  readonly name: string;
  readonly doc: string;
  readonly verbs: readonly Verb[];
}

/** The whole command line: nouns with their verbs, and verbs that stand alone. */
export type Tree = readonly (Noun | Verb)[];

export function isNoun(branch: Noun | Verb): branch is Noun {
  return 'verbs' in branch;
}

export function isCall(verb: Verb): verb is CallVerb {
  return 'rpc' in verb;
}

/** Whether the command signs each request itself: with a fresh signature, the same words never make the same request. */
export function isSignedAnew({ fills = {} }: CallVerb): boolean {
  return 'signature' in fills || 'assertion' in fills;
}

/** One command under way. */
export interface Work {
  readonly io: Io;
  readonly settings: CliSettings;
  readonly suite: Suite;
  /** `agent suspend` */
  readonly title: string;
  readonly verb: Verb;
  readonly args: readonly string[];
  /** Values of the command's own flags; true for a switch that is set. */
  readonly extras: Readonly<Record<string, string | true | undefined>>;
  /** Proto3 JSON of the request; the command may complete it. */
  readonly request: JsonObject;
}

/** The flags of the command itself, with those that it has because of what it is. */
export function extrasOf(verb: Verb): readonly Extra[] {
  const own = verb.extras ?? [];
  if (!isCall(verb)) return own;
  const { confirm, file, pages } = verb;
  const implied: readonly (Extra | false)[] = [
    file === true && {
      flag: 'file',
      value: 'FILE',
      doc: 'the whole request as JSON or YAML; `-` is standard input',
    },
    pages !== undefined && { flag: 'all', doc: 'every page' },
    confirm?.kind === 'yes' && { flag: 'yes', doc: 'do not ask' },
    confirm?.kind === 'typed' && { flag: 'confirm', value: 'ID', doc: 'the id, instead of typing it' },
  ];
  return [...own, ...implied.filter((one) => one !== false)];
}
