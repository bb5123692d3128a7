import { CliFailure, invalid, usage } from './cli-failure.js';
import { contract, type Field, fieldNamed, type MessageType } from './contract.js';
import { exitCodes } from './exit-codes.js';
import type { Json, JsonObject } from './json.js';
import { isObject } from './json.js';
import type { CountedTime } from './moment.js';
import type { Suite } from './suite.js';
import { ValueReader } from './value-reader.js';
import type { CallVerb, Option } from './verb.js';

/** What was typed: positional arguments and flags, as text. */
export interface Typed {
  readonly args: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly now: Date;
  /** Takes what durations came to: typed again, they would come to another time. */
  readonly counted: CountedTime[];
}

type Times = Pick<Typed, 'now' | 'counted'>;

/**
 * The request of a call, from its file, flags and arguments, in this order: later ones win.
 * @throws CliFailure 64 for a flag or argument, 3 for the content of a file; both name the field
 */
export async function requestOf(verb: CallVerb, typed: Typed, files: Suite['files']): Promise<JsonObject> {
  const type = verb.rpc.request;
  const request: JsonObject = {};
  const file = typed.flags.file;
  if (typeof file === 'string') Object.assign(request, await fromFile(type, file, typed, files));
  const flagged = new Map<string, string>();
  for (const option of optionsOf(verb)) {
    const value = typed.flags[camel(option.flag)];
    if (value === undefined) continue;
    set(request, type, option.field, await flagValue(option, type, value, typed, files));
    flagged.set(fieldAt(type, option.field).jsonName, option.flag);
  }
  for (const [index, argument] of (verb.args ?? []).entries()) {
    const text = typed.args[index];
    const filled = text === undefined ? {} : await argument.read?.(text, files);
    const [twice] = Object.keys(filled ?? {}).flatMap((name) => flagged.get(name) ?? []);
    if (twice !== undefined) throw usage(`\`${argument.name}\` says it already; leave out \`--${twice}\``);
    Object.assign(request, filled);
    if (argument.field === undefined || text === undefined) continue;
    const field = fieldAt(type, argument.field);
    set(request, type, argument.field, fromText(field, idOf(field, text), argument.name, typed));
  }
  if (fieldNamed(type, 'request_id') !== undefined) request.requestId = typed.requestId;
  requireAll(verb, request);
  return request;
}

/** The flags of a verb, with those that every list has. */
export function optionsOf(verb: CallVerb): readonly Option[] {
  const pages: readonly Option[] = [
    { flag: 'page-size', field: 'page_size', doc: '1 to 200 at a time; else 50' },
    { flag: 'page-token', field: 'page_token', doc: 'where to go on: `nextPageToken` of the page before' },
  ];
  return [...(verb.options ?? []), ...(verb.pages === undefined ? [] : pages)];
}

/** The field at a dotted path of a message; the tree names it, so its absence is a bug. */
export function fieldAt(type: MessageType, path: string): Field {
  const [head = '', ...rest] = path.split('.');
  const field = fieldNamed(type, head);
  if (field === undefined) throw new Error(`\`${type.name}\` has no field \`${head}\``);
  return rest.length === 0 ? field : fieldAt(contract.message(field.typeName), rest.join('.'));
}

/** `--sponsor-id` as commander keeps it: `sponsorId`. */
export function camel(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

async function fromFile(type: MessageType, path: string, times: Times, files: Suite['files']) {
  const reader = readerAt(times);
  const request = reader.message(type, await files.document(path));
  if (reader.problems.length > 0) throw invalid(`\`${path}\``, reader.problems);
  return request;
}

async function flagValue(
  { flag, field: path, past, fromFile }: Option,
  type: MessageType,
  value: unknown,
  times: Times,
  files: Suite['files'],
): Promise<Json> {
  const field = fieldAt(type, path);
  if (fromFile && typeof value === 'string') {
    const bytes = await files.read(value);
    return field.kind === 'bytes' ? bytes.toString('base64') : bytes.toString('utf8');
  }
  if (typeof value === 'boolean') return value;
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  const values: Json[] = [];
  for (const text of texts) {
    if (field.kind === 'message' && text.startsWith('@'))
      values.push(...[await fromFieldFile(field, text.slice(1), times, files)].flat());
    else values.push(fromText(field, idOf(field, text), `--${flag}`, times, past));
  }
  return field.repeated ? values : (values.at(-1) ?? null);
}

async function fromFieldFile(field: Field, path: string, times: Times, files: Suite['files']): Promise<Json> {
  const reader = readerAt(times);
  const document = await files.document(path);
  const alone = field.repeated && !Array.isArray(document) && isObject(document);
  const read = reader.field(field, alone ? [document] : document);
  if (reader.problems.length > 0) throw invalid(`\`${path}\``, reader.problems);
  return read ?? null;
}

function fromText(field: Field, text: string, where: string, times: Times, past = false): Json {
  const reader = readerAt(times, past);
  const read = reader.text(field, text);
  const [problem] = reader.problems;
  if (problem !== undefined)
    throw new CliFailure(exitCodes.usage, `\`${where}\`: \`${problem.field}\` ${problem.description}`, {
      fields: reader.problems,
    });
  return read ?? null;
}

function readerAt({ now, counted }: Times, past = false): ValueReader {
  return new ValueReader(now, past, counted);
}

/** Commands take resource names too: `agents/agt_…` is `agt_…`. */
function idOf({ name, kind }: Field, text: string): string {
  return kind === 'string' && /_ids?$/.test(name) ? text.slice(text.lastIndexOf('/') + 1) : text;
}

function set(request: JsonObject, type: MessageType, path: string, value: Json): void {
  const [head = '', ...rest] = path.split('.');
  const field = fieldNamed(type, head);
  if (field === undefined) throw new Error(`\`${type.name}\` has no field \`${head}\``);
  if (rest.length === 0) {
    request[field.jsonName] = value;
    return;
  }
  const part = { ...(request[field.jsonName] as JsonObject | undefined) };
  set(part, contract.message(field.typeName), rest.join('.'), value);
  request[field.jsonName] = part;
}

function requireAll(verb: CallVerb, request: JsonObject): void {
  const missing = optionsOf(verb).find(
    ({ required, field }) => required && !(fieldAt(verb.rpc.request, field).jsonName in request),
  );
  if (missing !== undefined) throw usage(`\`--${missing.flag}\` is needed: ${missing.doc}`);
}
