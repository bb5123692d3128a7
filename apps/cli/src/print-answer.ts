import Table from 'cli-table3';
import { createColors } from 'picocolors';
import { stringify } from 'yaml';
import type { CliSettings } from './cli-settings.js';
import type { Io } from './io.js';
import type { JsonObject } from './json.js';
import { type Column, cellOf, rowsOf, type Shape, visible } from './shape.js';

const good = /^(active|open|allow|granted|in-force|ok|serving)$/;
const bad =
  /^(deny|denied|suspended|orphaned|retired|revoked|revocation-failed|failed|not-serving|unreachable|left)$/;
const waiting = /^(awaiting-attestation|approval-needed|pending|revoking|expired|withdrawn|skipped)$/;

const noFrame = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Data on standard output, in the format asked for. JSON is the API's own, unchanged. */
export function printAnswer(
  io: Pick<Io, 'out'>,
  settings: Pick<CliSettings, 'format' | 'color'>,
  shape: Shape,
  answer: JsonObject,
): void {
  io.out.write(formatted(settings, shape, answer));
}

function formatted(
  { format, color }: Pick<CliSettings, 'format' | 'color'>,
  shape: Shape,
  answer: JsonObject,
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(answer, null, 2)}\n`;
    case 'yaml':
      return stringify(answer);
    case 'jsonl':
      return rowsOf(shape, answer)
        .map((row) => `${JSON.stringify(shape.list ? row : answer)}\n`)
        .join('');
    case 'name':
      return rowsOf(shape, answer)
        .map((row) => `${shape.name(row)}\n`)
        .join('');
    case 'table':
    case 'wide':
      return people(shape, answer, format === 'wide', color);
  }
}

function people(shape: Shape, answer: JsonObject, wide: boolean, color: boolean): string {
  if (shape.lines)
    return shape
      .lines(answer)
      .map((one) => `${visible(one)}\n`)
      .join('');
  const columns = shape.columns.filter((column) => wide || column.wide !== true);
  const rows = rowsOf(shape, answer);
  const paint = painter(color);
  if (!shape.list) return rows.map((row) => single(columns, row, paint)).join('');
  const heads = columns.map(({ head }) => head.toUpperCase());
  const lines = rows.map((row) => columns.map((one) => paint(cellOf(one, row))));
  return aligned([heads, ...lines]);
}

function single(columns: readonly Column[], row: JsonObject, paint: (cell: string) => string): string {
  return aligned(columns.map((one) => [one.head.toLowerCase(), paint(cellOf(one, row))]));
}

/** Columns two spaces apart, without a frame and without spaces at the end of a line. */
function aligned(lines: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const cells of lines) table.push([...cells]);
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}

function painter(color: boolean): (cell: string) => string {
  const { green, red, yellow } = createColors(color);
  return (cell) => {
    if (good.test(cell)) return green(cell);
    if (bad.test(cell)) return red(cell);
    return waiting.test(cell) ? yellow(cell) : cell;
  };
}
