import type { FieldViolation } from '@writ/kernel';
import { contract, type Field, fieldNamed, type MessageType } from './contract.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { type CountedTime, durationMs, timestampOf } from './moment.js';
import { namedItems, textForms } from './spelling.js';

const INT32_MAX = 2 ** 31 - 1;
const problemsMax = 32;

/**
 * Turns what people write, in files and in flags, into proto3 JSON of the contract, and remembers every field that is
 * wrong. Nothing unknown passes: a misspelt limit that is dropped would be a wider mandate.
 */
export class ValueReader {
  readonly problems: FieldViolation[] = [];

  /**
   * @param past durations count backwards from `now`
   * @param counted takes what durations came to
   */
  constructor(
    private readonly now: Date,
    private readonly past = false,
    private readonly counted: CountedTime[] = [],
  ) {}

  /** The content of a file as a message. */
  message(type: MessageType, content: Json, path = ''): JsonObject {
    const read: JsonObject = {};
    if (!isObject(content)) return this.#wrong(path || type.name, 'must be an object', read);
    for (const [name, value] of Object.entries(content)) {
      const field = fieldNamed(type, name);
      const here = join(path, field?.name ?? name);
      if (field === undefined) this.#wrong(here, `is no field; there are ${listed(type)}`);
      else if (field.jsonName in read) this.#wrong(here, 'is given twice');
      else assign(read, field, this.field(field, value, here));
    }
    return read;
  }

  /** The content of a file as the value of a field. */
  field(field: Field, content: Json, path = field.name): Json | undefined {
    if (!field.repeated) return this.#single(field, content, path);
    const items = Array.isArray(content)
      ? (content as readonly Json[])
      : this.#namedItems(field, content, path);
    return items?.flatMap((item, index) => this.#single(field, item, `${path}[${index}]`) ?? []);
  }

  /** The text of a flag as one value of a field: `key=value,…` for a message, words for everything else. */
  text(field: Field, text: string, path = field.name): Json | undefined {
    switch (field.kind) {
      case 'int':
      case 'bigint':
        return /^-?\d{1,16}$/.test(text)
          ? this.#single(field, Number(text), path)
          : this.#wrong(path, 'must be a whole number');
      case 'bool':
        return text === 'true' || text === 'false'
          ? text === 'true'
          : this.#wrong(path, 'must be `true` or `false`');
      case 'message':
        return this.#hasTextForm(field) ? this.#single(field, text, path) : this.#pairs(field, text, path);
      default:
        return this.#single(field, text, path);
    }
  }

  #single(field: Field, content: Json, path: string): Json | undefined {
    switch (field.kind) {
      case 'string':
      case 'bytes':
        return typeof content === 'string' ? content : this.#wrong(path, 'must be text; put it in quotes');
      case 'int':
        return Number.isInteger(content) && Math.abs(Number(content)) <= INT32_MAX
          ? content
          : this.#wrong(path, 'must be a whole number of at most 31 bits');
      case 'bigint':
        return Number.isSafeInteger(content) || (typeof content === 'string' && /^-?\d{1,19}$/.test(content))
          ? String(content)
          : this.#wrong(path, 'must be a whole number; beyond 2^53 as text');
      case 'bool':
        return typeof content === 'boolean' ? content : this.#wrong(path, 'must be true or false');
      case 'enum':
        return this.#enum(field, content, path);
      case 'message':
        return this.#part(field, content, path);
    }
  }

  #enum({ typeName }: Field, content: Json, path: string): Json | undefined {
    const value = typeof content === 'string' ? contract.enumValue(typeName, content) : undefined;
    return value ?? this.#wrong(path, `must be one of ${quoted(contract.words(typeName))}`);
  }

  #part(field: Field, content: Json, path: string): Json | undefined {
    const { typeName } = field;
    if (typeName === 'google.protobuf.Timestamp') {
      return this.#time(content) ?? this.#wrong(path, 'must be an RFC 3339 time or a duration such as `4h`');
    }
    const form = textForms[typeName];
    if (form === undefined || typeof content !== 'string')
      return this.message(contract.message(typeName), content, path);
    return form.read(content) ?? this.#wrong(path, `must be ${form.form}`);
  }

  #time(content: Json): string | undefined {
    if (typeof content !== 'string') return undefined;
    const time = timestampOf(content, this.now, this.past);
    if (time !== undefined && durationMs(content) !== undefined) this.counted.push({ typed: content, time });
    return time;
  }

  #namedItems({ typeName }: Field, content: Json, path: string): readonly Json[] | undefined {
    const named = namedItems[typeName];
    if (named === undefined || !isObject(content)) return this.#wrong(path, 'must be a list');
    return Object.entries(content).flatMap(([name, value]) => {
      const item = named.item(name, value);
      return item ?? this.#wrong(join(path, name), 'must be text, a whole number, true or false', []);
    });
  }

  #pairs({ typeName }: Field, text: string, path: string): Json {
    const read: JsonObject = {};
    for (const pair of text.split(/(?<!\\),/)) {
      const [, key, value] = /^\s*([\w.-]+)=(.*)$/s.exec(pair.replaceAll('\\,', ',')) ?? [];
      if (key === undefined || value === undefined)
        this.#wrong(path, 'must be `key=value` pairs with commas between, or `@FILE`');
      else this.#pair(contract.message(typeName), read, key.split('.'), value, path);
    }
    return read;
  }

  #pair(type: MessageType, target: JsonObject, keys: readonly string[], text: string, path: string): void {
    const [key = '', ...rest] = keys;
    const field = fieldNamed(type, key);
    const here = join(path, field?.name ?? key);
    if (field === undefined) this.#inOnlyPart(type, target, keys, text, here);
    else if (rest.length === 0) this.#leaf(field, target, text, here);
    else if (field.repeated) this.#namedItem(field, target, rest.join('.'), text, here);
    else if (field.kind !== 'message') this.#wrong(here, 'has no parts');
    else {
      const part = { ...(target[field.jsonName] as JsonObject | undefined) };
      this.#pair(contract.message(field.typeName), part, rest, text, here);
      assign(target, field, part);
    }
  }

  /** `amount_max` of a detail is one of its constraints: the part may be left out where only one part has it. */
  #inOnlyPart(
    type: MessageType,
    target: JsonObject,
    keys: readonly string[],
    text: string,
    here: string,
  ): void {
    const [part, other] = type.fields.filter((one) => !one.repeated && hasField(one, keys[0] ?? ''));
    if (part === undefined || other !== undefined)
      this.#wrong(here, `is no field; there are ${listed(type)}`);
    else this.#pair(type, target, [part.name, ...keys], text, here.slice(0, here.lastIndexOf('.')));
  }

  #leaf(field: Field, target: JsonObject, text: string, here: string): void {
    if (field.jsonName in target) this.#wrong(here, 'is given twice');
    else if (!field.repeated) assign(target, field, this.text(field, text, here));
    else
      assign(
        target,
        field,
        text.split('|').flatMap((one) => this.text(field, one, here) ?? []),
      );
  }

  #namedItem(field: Field, target: JsonObject, name: string, text: string, here: string): void {
    const named = namedItems[field.typeName];
    if (named === undefined) {
      this.#wrong(here, 'has no parts; use `@FILE`');
      return;
    }
    const before = (target[field.jsonName] ?? []) as readonly Json[];
    const added = this.field(field, { [name]: named.fromText(text) }, here);
    assign(target, field, [...before, ...((added ?? []) as readonly Json[])]);
  }

  #hasTextForm({ typeName }: Field): boolean {
    return typeName === 'google.protobuf.Timestamp' || textForms[typeName] !== undefined;
  }

  #wrong(field: string, description: string): undefined;
  #wrong<T>(field: string, description: string, answer: T): T;
  #wrong<T>(field: string, description: string, answer?: T): T | undefined {
    if (this.problems.length < problemsMax) this.problems.push({ field, description });
    return answer;
  }
}

function assign(target: JsonObject, { jsonName }: Field, value: Json | undefined): void {
  if (value !== undefined) target[jsonName] = value;
}

function hasField({ kind, typeName }: Field, key: string): boolean {
  return (
    kind === 'message' &&
    typeName.startsWith('writ.') &&
    fieldNamed(contract.message(typeName), key) !== undefined
  );
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function listed({ fields }: MessageType): string {
  return quoted(fields.map(({ name }) => name));
}

export function quoted(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(', ');
}
