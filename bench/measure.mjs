// How figures are taken: rounds, medians, percentiles, and the CPU time of a process from outside.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ROUNDS } from './figures.mjs';

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed. */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/**
 * Runs `round` five times, or as often as fits: a round begins only while `secondsMax` have not passed, and the first
 * always does.
 */
export async function inRounds(round, secondsMax = Number.POSITIVE_INFINITY) {
  const startMs = performance.now();
  const results = [];
  while (results.length < ROUNDS && (results.length === 0 || performance.now() - startMs < secondsMax * 1000))
    results.push(await round(results.length));
  return results;
}

let ticksPerSecond;

/** Seconds of CPU a process and its threads have used so far, user and system; undefined where there is no /proc. */
export function cpuSeconds(pid) {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const fields = fieldsOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Of a process and its children, where none ends meanwhile: PostgreSQL with its connections. */
export function treeCpuSeconds(pid) {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid);
  return [pid, ...children].reduce((sum, one) => sum + (cpuSeconds(one) ?? 0), 0);
}

/** The fields of `/proc/<pid>/stat` behind the name, which may hold spaces: state, parent, … (proc(5)). */
function fieldsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function parentOf(pid) {
  try {
    return Number(fieldsOf(pid)[1]);
  } catch {
    // Ended between the listing and the reading.
    return undefined;
  }
}

/** Children of a process whose command line holds `word`. */
export function childrenOf(pid, word) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid && commandLineOf(name).includes(word))
    .map(Number);
}

function commandLineOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Microseconds of CPU per operation, of two readings; undefined where there are none. */
export function microsecondsPerOp(before, after, operations) {
  return before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / operations;
}

/**
 * Tells the figure's result: `{name, values, unit, …}` with the value of each round. `cpuUsPerOp`, `p50Ms`, `p99Ms` and
 * `peerValues` are lists over the rounds too, `peer` names what was measured beside, `note` says what a reader must know.
 */
export function report(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** One line for whoever waits; not part of the result. */
export function progress(line) {
  process.stderr.write(`    ${line}\n`);
}
