// The application, a process of its own: callers that ask through @writ/client, each its next question when it has the
// answer to the one before. Every answer is checked.
import { openClient } from '@writ/client';
import { takeOrders } from './companion.mjs';
import { percentile } from './measure.mjs';

let client;
let questions;

async function open({ maxBatch, ...server }) {
  await client?.close();
  client = await openClient({ ...server, maxBatch, deadlineMs: 10_000 });
}

async function decideOnce(place) {
  const { outcome, reasonCode, recorded } = await client.decide(questions[place % questions.length]);
  if (outcome !== 'allow' || !recorded) throw new Error(`not allowed: ${reasonCode}`);
}

/** `count` decisions by `callers`; the CPU time is this process's. */
async function closedLoop({ count, callers }) {
  const ms = [];
  let begun = 0;
  const before = process.cpuUsage();
  const startMs = performance.now();
  const caller = async () => {
    while (begun < count) {
      begun += 1;
      const askedMs = performance.now();
      await decideOnce(begun);
      ms.push(performance.now() - askedMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startMs) / 1000;
  return {
    rate: count / seconds,
    cpuUs: (user + system) / count,
    p50Ms: percentile(ms, 0.5),
    p99Ms: percentile(ms, 0.99),
  };
}

takeOrders({
  open,
  prepare: async (o) => {
    questions = o.questions;
  },
  closedLoop,
});
