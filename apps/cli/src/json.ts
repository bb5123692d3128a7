import type { Json } from '@writ/kernel';

export type { Json };
export type JsonObject = { [member: string]: Json };

export function isObject(value: Json | undefined): value is { readonly [member: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member at a dotted path; undefined where the path leads nowhere. */
export function at(value: Json | undefined, path: string): Json | undefined {
  if (path === '') return value;
  return path
    .split('.')
    .reduce<Json | undefined>((here, name) => (isObject(here) ? here[name] : undefined), value);
}

/** Text at a dotted path, empty when there is none. */
export function textAt(value: Json | undefined, path: string): string {
  const found = at(value, path);
  return typeof found === 'string' || typeof found === 'number' ? String(found) : '';
}

export function listAt(value: Json | undefined, path: string): readonly Json[] {
  const found = at(value, path);
  return Array.isArray(found) ? (found as readonly Json[]) : [];
}
