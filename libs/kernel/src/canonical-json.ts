/** JSON that has one spelling: RFC 8785 (JCS). What is hashed, signed and shown to people. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** SHA-256 or another digest, supplied by the caller: the kernel imports nothing. */
export type Hash = (text: string) => Uint8Array;

export const MAX_JSON_DEPTH = 32;

/**
 * RFC 8785 canonical form: keys sorted by UTF-16 code units, no spaces, ECMAScript number spelling.
 * @throws RangeError for NaN, infinities, integers beyond 2^53, lone surrogates, and nesting deeper than 32
 */
export function canonicalJson(value: Json, depth = 0): string {
  if (depth > MAX_JSON_DEPTH) throw new RangeError(`JSON nested deeper than ${MAX_JSON_DEPTH}`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'string') return canonicalString(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item, depth + 1)).join(',')}]`;
  const members = Object.entries(value as { readonly [key: string]: Json })
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, member]) => `${canonicalString(key)}:${canonicalJson(member, depth + 1)}`).join(',')}}`;
}

/** `sha-256:` and the base64url digest of the canonical form: how Writ names the exact content of an action. */
export function digestOfJson(value: Json, sha256: Hash): string {
  return `sha-256:${base64Url(sha256(canonicalJson(value)))}`;
}

const base64UrlAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** RFC 4648 section 5, without padding. */
export function base64Url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const characters = Math.min(3, bytes.length - at) + 1;
    for (let place = 0; place < characters; place += 1)
      text += base64UrlAlphabet.charAt((group >>> (18 - 6 * place)) & 63);
  }
  return text;
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`JSON has no ${value}`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new RangeError('integer beyond 2^53 in JSON; send it as a string');
  return JSON.stringify(value);
}

function canonicalString(value: string): string {
  if (!value.isWellFormed()) throw new RangeError('lone surrogate in a JSON string');
  return JSON.stringify(value);
}
