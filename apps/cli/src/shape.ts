import { contract } from './contract.js';
import { at, isObject, type Json, type JsonObject, listAt, textAt } from './json.js';

/** One column of a table, or one line of a single thing. */
export interface Column {
  readonly head: string;
  /** Dotted path in the JSON, or how to make the cell. */
  readonly cell: string | ((row: JsonObject) => string);
  /** Only with `-o wide`. */
  readonly wide?: true;
}

/** How an answer is shown to people. */
export interface Shape {
  /** Path of the list or of the one thing in the answer; empty when the answer is the thing. */
  readonly item: string;
  readonly list: boolean;
  readonly columns: readonly Column[];
  /** For `-o name`. */
  name(row: JsonObject): string;
  /** How people see it where rows and columns do not say it: lines, without the last line feed. */
  lines?(answer: JsonObject): readonly string[];
}

export function shape(
  columns: readonly Column[],
  name: (row: JsonObject) => string = (row) => textAt(row, 'name'),
): Shape {
  return { item: '', list: false, columns, name };
}

/** An answer whose field `item` lists such things. */
export function listOf(item: string, one: Shape): Shape {
  return { ...one, item, list: true };
}

/** An answer whose field `item` is such a thing. */
export function partOf(item: string, one: Shape): Shape {
  return { ...one, item };
}

export function column(head: string, cell: Column['cell']): Column {
  return { head, cell };
}

export function wide(head: string, cell: Column['cell']): Column {
  return { head, cell, wide: true };
}

/** The things that an answer shows. */
export function rowsOf({ item }: Shape, answer: JsonObject): readonly JsonObject[] {
  const found = at(answer, item);
  if (Array.isArray(found)) return (found as readonly Json[]).filter(isObject).map((row) => ({ ...row }));
  return isObject(found) ? [{ ...found }] : [];
}

export function cellOf({ cell }: Column, row: JsonObject): string {
  return visible(typeof cell === 'string' ? cellText(at(row, cell)) : cell(row));
}

/** Any value of the API in a few words. */
export function cellText(value: Json | undefined): string {
  if (value === undefined || value === null || value === '') return '-';
  if (typeof value === 'string') return contract.wordOf(value) ?? shortTime(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map(cellText).join(', ') || '-';
  return isMoney(value) ? money(value) : JSON.stringify(value);
}

/** `payment pay ≤ 5000 EUR erp/invoices/*` */
export function detailText(detail: Json): string {
  const parts = [
    textAt(detail, 'type'),
    listAt(detail, 'actions').join('|'),
    textAt(detail, 'identifier'),
    listAt(detail, 'locations').join('|'),
    at(detail, 'constraints.amountMax') && `≤ ${cellText(at(detail, 'constraints.amountMax'))}`,
  ];
  return parts.filter((part) => part !== '' && part !== undefined).join(' ');
}

export const details = (row: JsonObject) =>
  listAt(row, 'authorizationDetails').map(detailText).join('; ') || '-';

/** `payment pay erp/invoices/C 4000 EUR` */
export const actionText = (row: JsonObject) => {
  const action = at(row, 'action');
  const parts = ['type', 'name', 'identifier', 'location'].map((name) => textAt(action, name));
  const amount = at(action, 'amount');
  return (
    [...parts, amount === undefined ? '' : cellText(amount)].filter((part) => part !== '').join(' ') || '-'
  );
};

/** Text of strangers on a terminal: what would move the cursor or turn the text around is spelt out. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu,
    (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

function shortTime(text: string): string {
  return text.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z');
}

function isMoney(value: Json): boolean {
  return isObject(value) && 'currencyCode' in value;
}

function money(value: Json): string {
  return `${textAt(value, 'value') || '0'} ${textAt(value, 'currencyCode')}`;
}
