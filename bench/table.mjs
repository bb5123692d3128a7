// How figures are shown: medians, targets beside them, and what a reader must know of each.
import { versions } from 'node:process';
import { median } from './measure.mjs';

export function heading({ cpu, cores, load }) {
  const loads = load.map((one) => one.toFixed(1)).join(', ');
  const busy =
    load[0] > cores / 2 ? '; other work is running, so rates are too low and CPU figures too high' : '';
  return `${cpu}, ${cores} cores, Node ${versions.node}, load average ${loads}${busy}`;
}

/** The medians of a figure's rounds, null where something was not measured. */
function summary({ name, unit, values, cpuUsPerOp, p50Ms, p99Ms, peer, peerValues }) {
  const value = median(values);
  const peerValue = peerValues === undefined ? null : median(peerValues);
  return {
    name,
    value: rounded(value),
    unit,
    cpuUsPerOp: medianOrNull(cpuUsPerOp),
    p50Ms: medianOrNull(p50Ms),
    p99Ms: medianOrNull(p99Ms),
    peer: peer ?? null,
    peerValue: peerValue === null ? null : rounded(peerValue),
    // Of the rounds, not of the medians: each round measured both under the same conditions.
    ratio: peerValue === null ? null : rounded(median(values.map((one, round) => one / peerValues[round]))),
    rounds: values.length,
  };
}

export function jsonLine(result) {
  return JSON.stringify(summary(result));
}

function medianOrNull(values) {
  const known = values?.filter((value) => value !== undefined && value !== null) ?? [];
  return known.length === 0 ? null : rounded(median(known));
}

/** Three digits are more than such figures are good for. */
function rounded(value) {
  return value === 0 ? 0 : Number(value.toPrecision(Math.max(3, Math.ceil(Math.log10(Math.abs(value) + 1)))));
}

const columns = [
  'figure',
  'value',
  'target',
  '',
  'lowest – highest',
  'p50 ms',
  'p99 ms',
  'CPU µs/op',
  'peer',
  'ratio',
  'rounds',
  'load',
];

export function tableOf(rows) {
  const lines = rows.map(({ name, target, result, load }) => {
    if (result === undefined)
      return [name, 'not measured', targetText(target), '', '', '', '', '', '', '', '', shown(load)];
    const one = summary(result);
    const range = `${shown(rounded(Math.min(...result.values)))} – ${shown(rounded(Math.max(...result.values)))}`;
    const peer = one.peerValue === null ? 'not measured' : shown(one.peerValue);
    return [
      name,
      `${shown(one.value)} ${one.unit}`,
      targetText(target),
      verdict(target, one),
      range,
      shown(one.p50Ms),
      shown(one.p99Ms),
      shown(one.cpuUsPerOp),
      peer,
      shown(one.ratio),
      String(one.rounds),
      shown(load),
    ];
  });
  const widths = columns.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at].length)));
  const drawn = [columns, widths.map((width) => '─'.repeat(width)), ...lines].map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  );
  const notes = rows.flatMap(({ result }) => (result === undefined ? [] : [noteOf(result)]));
  return ['', ...drawn, '', ...notes, ''].join('\n');
}

function noteOf({ name, note, peer }) {
  return `  ${name}: ${note}${peer === undefined ? '' : `; peer: ${peer}`}`;
}

function targetText({ min, max, p50MsMax, p99MsMax }) {
  if (min !== undefined) return `≥ ${shown(min)}`;
  if (max !== undefined) return `≤ ${shown(max)}`;
  return p50MsMax === undefined ? '' : `p50 ≤ ${p50MsMax}, p99 ≤ ${p99MsMax}`;
}

function verdict({ min, max, p50MsMax, p99MsMax }, { value, p50Ms, p99Ms }) {
  if (min === undefined && max === undefined && p50MsMax === undefined) return '';
  const holds =
    value >= (min ?? value) &&
    value <= (max ?? value) &&
    p50Ms <= (p50MsMax ?? p50Ms) &&
    p99Ms <= (p99MsMax ?? p99Ms);
  return holds ? 'ok' : 'below';
}

/** With thin spaces between thousands. */
function shown(value) {
  if (value === null || value === undefined) return '';
  const places = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  const [whole, part] = Number(value).toFixed(places).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
  return part === undefined || Number(part) === 0 ? grouped : `${grouped}.${part}`;
}
