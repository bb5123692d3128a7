import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { WholeSuite } from './whole-suite.js';

/** Something that must never leave the place it belongs to. */
export interface Needle {
  /** What it is, in words that do not hold it. */
  readonly name: string;
  readonly value: string;
}

/** Something in which secrets are looked for. */
export interface Holding {
  readonly place: string;
  readonly text: string;
}

/** A shorter value would be found by chance. */
const NEEDLE_CHARACTERS_MIN = 16;

/** Where a needle is found, in whatever form it may have been written down. Names, never values. */
export function leaks(needles: readonly Needle[], holdings: readonly Holding[]): string[] {
  return needles.flatMap(({ name, value }) => {
    if (value.length < NEEDLE_CHARACTERS_MIN) throw new Error(`${name} is too short to be looked for`);
    const forms = formsOf(value);
    return holdings.flatMap(({ place, text }) =>
      [...forms].flatMap(([form, spelled]) =>
        text.includes(spelled) ? [`${name}, ${form}, in ${place}`] : [],
      ),
    );
  });
}

/** A value as it stands, as PostgreSQL prints bytes, in base64 of any alignment, in JSON, in a URL. */
export function formsOf(value: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(value);
  const inner = (form: 'base64' | 'base64url', shift: number) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(form)
      .replace(/=+$/, '');
    // The first and the last characters also hold bits of what stands before and after.
    return text.slice(shift === 0 ? 0 : 4, -2);
  };
  return new Map([
    ['plain', value],
    ['hex', bytes.toString('hex')],
    ['JSON', JSON.stringify(value).slice(1, -1)],
    ['percent-encoded', encodeURIComponent(value)],
    ...[0, 1, 2].flatMap((shift): [string, string][] => [
      [`base64 at ${shift}`, inner('base64', shift)],
      [`base64url at ${shift}`, inner('base64url', shift)],
    ]),
  ]);
}

/** The private part of a key, as its file and as a JWK would spell it. */
export function keyNeedles(name: string, pem: string): Needle[] {
  const [, , second = ''] = pem.split('\n');
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  return [
    { name: `the key file of ${name}`, value: second },
    { name: `the private number of ${name}`, value: String(d) },
  ];
}

/** Every row of every table: facts, read models, idempotent commands, bus, dead letters, ledger. Bytes come as hex. */
export async function rowsOf(suite: WholeSuite): Promise<Holding[]> {
  const tables = await suite.sql<{ schema: string; name: string }>(
    `select schemaname as schema, tablename as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2`,
  );
  const holdings: Holding[] = [];
  for (const { schema, name } of tables) {
    const rows = await suite.sql<{ text: string }>(`select t::text as text from ${schema}."${name}" t`);
    holdings.push({ place: `${schema}.${name}`, text: rows.map(({ text }) => text).join('\n') });
  }
  return holdings;
}

export function spansOf(spans: readonly ReadableSpan[]): Holding[] {
  return spans.map(({ name, attributes, events, status, links, resource }) => ({
    place: `span ${name}`,
    text: JSON.stringify({ name, attributes, events, status, links, resource: resource.attributes }),
  }));
}

export function filesOf(folder: string): Holding[] {
  return readdirSync(folder).map((name) => ({
    place: name,
    text: readFileSync(`${folder}/${name}`, 'utf8'),
  }));
}

/** Everything that an error says, to the one who called. */
export function errorOf(place: string, error: unknown): Holding {
  const shown = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value);
  const seen = error instanceof Error ? { ...error, message: error.message, stack: error.stack } : error;
  return { place: `the error of ${place}`, text: JSON.stringify(seen, shown) };
}
