import { readFileSync } from 'node:fs';
import { Secret } from './secret.js';

/** One setting of a service. Its environment name is `WRIT_` and its key in upper snake case. */
export interface Setting<T> {
  /** What it is, in one sentence for the one who runs the service. */
  readonly doc: string;
  readonly secret: boolean;
  /** Used when it is not set. A setting that guards something MUST have none. */
  readonly fallback?: { readonly value: T };
  /** @throws Error whose message says what would be right, without the value */
  parse(raw: string): T;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
export type SettingsOf<Table extends SettingsTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Setting<infer T> ? T : never;
};

interface Wish<T> {
  readonly doc: string;
  readonly fallback?: T;
}

/** Text; with `pattern`, of the form that `form` describes. */
export function text(o: Wish<string> & { pattern?: RegExp; form?: string }): Setting<string> {
  return setting(o, (raw) => {
    if (o.pattern !== undefined && !o.pattern.test(raw))
      throw new Error(`must be ${o.form ?? String(o.pattern)}`);
    return raw;
  });
}

/** A secret: never has a fallback, never printed, and may be given by file as `WRIT_…_FILE`. */
export function secretText(o: { doc: string }): Setting<Secret<string>> {
  return { doc: o.doc, secret: true, parse: (raw) => new Secret(raw) };
}

export function integer(o: Wish<number> & { min: number; max: number }): Setting<number> {
  return setting(o, (raw) => {
    const value = Number(raw);
    if (!/^-?\d+$/.test(raw) || value < o.min || value > o.max)
      throw new Error(`must be a whole number from ${o.min} to ${o.max}`);
    return value;
  });
}

export function flag(o: Wish<boolean>): Setting<boolean> {
  return setting(o, (raw) => {
    if (raw !== 'true' && raw !== 'false') throw new Error('must be `true` or `false`');
    return raw === 'true';
  });
}

export function oneOf<const Choice extends string>(
  choices: readonly Choice[],
  o: Wish<Choice>,
): Setting<Choice> {
  return setting(o, (raw) => {
    const chosen = choices.find((choice) => choice === raw);
    if (chosen === undefined)
      throw new Error(`must be one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`);
    return chosen;
  });
}

/** `host:port` */
export function address(o: Wish<string>): Setting<string> {
  return text({ ...o, pattern: /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, form: '`host:port`' });
}

/** Texts separated by commas. */
export function list(o: Wish<readonly string[]>): Setting<readonly string[]> {
  return setting(o, (raw) =>
    raw
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
}

/** A setting that may be absent. */
export function maybe<T>(inner: Setting<T>): Setting<T | undefined> {
  return { ...inner, fallback: { value: undefined } };
}

/** Why a process does not start. One line; names settings and never values. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a table of settings from the environment. Everything that is wrong is told at once, on one line.
 * @throws SettingsError for a missing, malformed or unknown `WRIT_` name
 */
export function readSettings<Table extends SettingsTable>(
  table: Table,
  environment: Environment,
): SettingsOf<Table> {
  const problems = unknownNames(table, environment);
  const values: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(table)) {
    const name = environmentName(key);
    try {
      values[key] = read(name, one, environment);
    } catch (cause) {
      problems.push(`${name} ${cause instanceof Error ? cause.message : 'is wrong'}: ${one.doc}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems.join('; '));
  return values as SettingsOf<Table>;
}

/** The names and meanings of a table, for `--help` and the reference. */
export function describeSettings(table: SettingsTable): readonly string[] {
  return Object.entries(table).map(([key, { doc, secret, fallback }]) => {
    const absent =
      fallback === undefined ? 'required' : `default ${JSON.stringify(fallback.value ?? 'none')}`;
    return `${environmentName(key)} (${secret ? 'secret, ' : ''}${absent}): ${doc}`;
  });
}

/** `databaseUrl` → `WRIT_DATABASE_URL` */
export function environmentName(key: string): string {
  return `WRIT_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * A class whose instances are a service's own settings, so that Nest can hand them to whoever names it.
 *
 * @example
 * export class VaultSettings extends settingsClass({ keyFile: text({ doc: 'file with the key encryption key' }) }) {}
 */
export function settingsClass<Table extends SettingsTable>(table: Table): SettingsClass<Table> {
  class Settings {
    static readonly table = table;
    constructor(values: SettingsOf<Table>) {
      Object.assign(this, values);
    }
  }
  return Settings as SettingsClass<Table>;
}

export interface SettingsClass<Table extends SettingsTable = SettingsTable> {
  new (values: SettingsOf<Table>): SettingsOf<Table>;
  readonly table: Table;
}

/** Any of them. `never`: only `run.ts`, which has just read the table, constructs one. */
export interface AnySettingsClass {
  new (values: never): object;
  readonly table: SettingsTable;
}

function setting<T>(o: Wish<T>, parse: (raw: string) => T): Setting<T> {
  return {
    doc: o.doc,
    secret: false,
    parse,
    ...(o.fallback === undefined ? {} : { fallback: { value: o.fallback } }),
  };
}

function read(
  name: string,
  { secret, fallback, parse }: Setting<unknown>,
  environment: Environment,
): unknown {
  const file = secret ? environment[`${name}_FILE`] : undefined;
  const raw = file === undefined || file === '' ? environment[name] : readFileSync(file, 'utf8').trimEnd();
  if (raw !== undefined && raw !== '') return parse(raw);
  if (fallback === undefined) throw new Error('is missing');
  return fallback.value;
}

/** A mistyped name would leave its setting at the default without a word, so none passes. */
function unknownNames(table: SettingsTable, environment: Environment): string[] {
  const known = Object.entries(table).flatMap(([key, { secret }]) =>
    secret ? [environmentName(key), `${environmentName(key)}_FILE`] : [environmentName(key)],
  );
  return Object.keys(environment)
    .filter((name) => name.startsWith('WRIT_') && !known.includes(name))
    .map((name) => {
      const [nearest] = known.toSorted((a, b) => distance(name, a) - distance(name, b));
      return `${name} is no setting of this service${nearest === undefined ? '' : `; did you mean ${nearest}`}?`;
    });
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
