// `writd`, or the npm script that starts it, as somebody at a terminal has it.
import { spawn } from 'node:child_process';
import { environment, node24, root, writdArguments } from '../scripts/bootstrap.mjs';

const STOP_MS_MAX = 15_000;
const BANNER = 'Writ is up';

/** `node apps/writd/dist/main.js …`, as `npm start` runs it once everything is built. */
export function startWritd(args, ground) {
  return startProgram(node24, [...writdArguments, ...args], ground);
}

/** `npm start -- …` in a checkout. */
export function startByNpm(args, ground, cwd = root) {
  return startProgram('npm', ['start', '--', ...args], ground, cwd);
}

/** Starts it; `said(words, msMax)` resolves with the seconds from the start until it has printed them. */
function startProgram(command, args, { onEnd }, cwd = root) {
  const startMs = performance.now();
  // A group of its own: npm hands signals on to nobody, so the group is told.
  const child = spawn(command, args, {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
      for (const listener of listeners) listener();
    });
  const exited = new Promise((resolve) =>
    child.once('close', () => {
      resolve();
      for (const listener of listeners) listener();
    }),
  );
  const said = (words, msMax) =>
    new Promise((resolve, reject) => {
      const settle = (outcome, value) => {
        clearTimeout(timer);
        listeners.delete(look);
        outcome(value);
      };
      const failed = (why) => settle(reject, new Error(`${why}; it said: ${output.slice(-2_000)}`));
      const timer = setTimeout(() => failed(`no \`${words}\` within ${msMax / 1000} s`), msMax);
      const look = () => {
        if (output.includes(words)) settle(resolve, (performance.now() - startMs) / 1000);
        else if (child.exitCode !== null) failed(`it ended with code ${child.exitCode} before \`${words}\``);
      };
      listeners.add(look);
      look();
    });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    signalGroup(child.pid, 'SIGINT');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(timer);
  };
  onEnd(stop);
  return { pid: child.pid, banner: (msMax) => said(BANNER, msMax), said, stop };
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
