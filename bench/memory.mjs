// `writd-rss`: resident memory of `writd` and of the process in which it runs all six services, after the walk. What both map
// is counted twice, PostgreSQL is not in it. The walk ends with a crash of the second process, so that one has run briefly by
// then; `writd-rss-peak` is the most it had at any moment of the walk.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { figure, freePortBase } from './ground.mjs';
import { childrenOf, inRounds, progress, report } from './measure.mjs';
import { startWritd } from './writd-process.mjs';

const WALK_MS_MAX = 150_000;
const SETTLE_MS = 2_000;
const LOOK_EVERY_MS = 250;
const MEASURING_SECONDS_MAX = 110;

/** Resident mebibytes of a process, 0 when it has just ended. */
function residentMib(pid) {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function engineMib(writdPid) {
  return Math.max(0, ...childrenOf(writdPid, 'engine.js').map(residentMib));
}

async function afterWalk(ground, round) {
  const data = join(ground.folder, `data-${round}`);
  const writd = startWritd(['--data', data, '--port-base', String(await freePortBase())], ground);
  let walking = true;
  let peak = 0;
  const looking = (async () => {
    for (; walking; await delay(LOOK_EVERY_MS)) peak = Math.max(peak, engineMib(writd.pid));
  })();
  try {
    await writd.said('All ten steps held.', WALK_MS_MAX);
    await delay(SETTLE_MS);
  } finally {
    walking = false;
    await looking;
  }
  const engine = engineMib(writd.pid);
  if (engine === 0) throw new Error('the process of the six services was not found');
  const supervisor = residentMib(writd.pid);
  progress(
    `engine ${engine.toFixed(0)} MB, at most ${peak.toFixed(0)} MB, supervisor ${supervisor.toFixed(0)} MB`,
  );
  await writd.stop();
  return { both: engine + supervisor, engine, peak: Math.max(peak, engine), supervisor };
}

await figure(async (ground) => {
  const rounds = await inRounds((round) => afterWalk(ground, round), MEASURING_SECONDS_MAX);
  const lines = [
    ['writd-rss', 'both', 'VmRSS of writd and of the process of all six services, in sum, after the walk'],
    ['writd-rss-engine', 'engine', 'that of the process of all six services'],
    ['writd-rss-peak', 'peak', 'the same at its highest during the walk'],
    ['writd-rss-supervisor', 'supervisor', 'that of writd'],
  ];
  for (const [name, which, note] of lines)
    report({ name, unit: 'MiB', values: rounds.map((one) => one[which]), note });
});
