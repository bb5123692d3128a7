// A process beside the figure's own that takes orders one after the other.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const STOP_MS_MAX = 3_000;

/** Starts a module of this folder; answers a function that sends an order and resolves with its answer. */
export function companion(module, { onEnd }) {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), {
    serialization: 'advanced',
    // Its standard output would stand among the results.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...profiling() },
  });
  onEnd(() => ended(child));
  return (order, rest) =>
    new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`\`${module}\` ended by itself`));
      child.once('exit', onExit);
      child.once('message', ({ answer, failed }) => {
        child.off('exit', onExit);
        if (failed === undefined) resolve(answer);
        else reject(new Error(`\`${module}\`: ${failed}`));
      });
      child.send({ order, ...rest });
    });
}

/** It ends by itself when nobody is there to give orders. */
async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await exited;
  clearTimeout(timer);
}

/** What makes a process leave a profile of its CPU time when it ends, where a folder for it is named. */
export function profiling() {
  const dir = process.env.WRIT_BENCH_PROFILES;
  return dir === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${dir}` };
}

/** The other side: answers orders by the functions of `table`. Keys come by this channel, in no file and no argument. */
export function takeOrders(table) {
  process.on('message', async ({ order, ...rest }) => {
    try {
      process.send({ answer: (await table[order](rest)) ?? {} });
    } catch (error) {
      process.send({ failed: error.message });
    }
  });
  process.once('disconnect', () => process.exit(0));
}

/** An identity's material as it travels to a companion, the key in the clear. */
export function plainMaterial({ keyPem, ...rest }) {
  return { ...rest, keyPem: keyPem.reveal() };
}
