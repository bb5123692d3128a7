import { isUtf8 } from 'node:buffer';
import { Refusal } from '@writ/kernel';
import type { JsonMembers } from './http-edge.js';

/** Deepest nesting of a body; the deepest request of ours has seven levels. */
export const JSON_DEPTH_MAX = 32;

/**
 * Most members of one object, and most items of one list. Defaults of a batch are read for each of its parts, so without a
 * bound one body would be a hundred.
 */
export const JSON_WIDTH_MAX = 1_024;

const quote = 0x22;
const backslash = 0x5c;
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const colon = 0x3a;
const comma = 0x2c;
const spaces: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Reads a body that must be one JSON object (RFC 8259) in UTF-8. A member that comes twice is refused, as I-JSON says (RFC
 * 7493 section 2.3): whoever looked at the request before us may have believed the other one. Nothing of the body is
 * repeated in a refusal.
 *
 * @throws Refusal INVALID_ARGUMENT
 */
export function readJsonObject(bytes: Buffer): JsonMembers {
  if (bytes.length === 0) throw invalid('the body is empty; send a JSON object');
  if (!isUtf8(bytes)) throw invalid('the body must be UTF-8');
  const text = bytes.toString('utf8');
  checkNesting(text);
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('the body must be a JSON object');
  return value as JsonMembers;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The cause quotes the text, in which there may be a token.
    throw invalid('the body is not JSON');
  }
}

/**
 * Looks at depth, width and names only, in one pass before anything is built. Of a text that is no JSON it may find nothing: the
 * parser does.
 */
function checkNesting(text: string): void {
  /** Of each object that is open, the names so far; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  /** Of everything that is open, how many commas it has so far. */
  const commas: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === quote) {
      const end = endOfString(text, at);
      if (end === -1) return;
      const names = open.at(-1);
      if (names !== undefined && isName(text, end)) addName(names, text.slice(at + 1, end));
      at = end;
    } else if (unit === openBrace || unit === openBracket) {
      if (open.length === JSON_DEPTH_MAX)
        throw invalid(`the body is nested deeper than ${JSON_DEPTH_MAX} levels`);
      open.push(unit === openBrace ? new Set() : undefined);
      commas.push(0);
    } else if (unit === closeBrace || unit === closeBracket) {
      open.pop();
      commas.pop();
    } else if (unit === comma) {
      const width = (commas.pop() ?? 0) + 1;
      if (width === JSON_WIDTH_MAX)
        throw invalid(`the body has an object or a list with more than ${JSON_WIDTH_MAX} members`);
      commas.push(width);
    }
  }
}

/** Where the string that begins at `start` ends; -1 when it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    // An odd run of backslashes escapes the quote.
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

function isName(text: string, end: number): boolean {
  let next = end + 1;
  while (spaces.has(text.charCodeAt(next))) next += 1;
  return text.charCodeAt(next) === colon;
}

function addName(names: Set<string>, written: string): void {
  const name = written.includes('\\') ? parsed(`"${written}"`) : written;
  if (names.has(String(name))) throw invalid('the body has a member twice');
  names.add(String(name));
}

function invalid(message: string): Refusal {
  return new Refusal('INVALID_ARGUMENT', 'invalid', message);
}
