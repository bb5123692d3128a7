// `decide`: may this agent do that, over gRPC and mutual TLS, durable before it is answered. The policy engine is a process
// of its own, fed by registry and session broker; the load comes from another one. `decide-suite` has every service
// running beside it.
import { DecideBatchRequest, DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import { serviceSpiffeId } from '@writ/service';
import { isAllowed } from '@writ/writd/walk/agent-session.js';
import { agentsAtWork, untilAllowed } from './agents-at-work.mjs';
import { companion, plainMaterial } from './companion.mjs';
import { figure, postgresPid } from './ground.mjs';
import {
  cpuSeconds,
  inRounds,
  median,
  microsecondsPerOp,
  progress,
  report,
  treeCpuSeconds,
} from './measure.mjs';
import {
  layServices,
  operatorOf,
  pointClients,
  pointMaterial,
  startServices,
  suiteServices,
} from './services.mjs';

const NEEDED = ['registry', 'session-broker', 'policy-engine'];
const AGENTS = 8;
const CONNECTIONS = 4;
const IN_FLIGHT = 64;
const WARM_UP_CALLS = 200;
/** V8 compiles the hot paths after some ten thousand calls; they are not counted either. */
const WARM_UP_SECONDS_MAX = 8;
const CALLS = 12_000;
const PACED_SHARE = 0.6;
const PACED_SECONDS = 2;
const BATCH = 100;
const BATCH_CALLS = 200;
const BATCHES_IN_FLIGHT = 4;
const MEASURING_SECONDS_MAX = 45;

async function connected(laid, load) {
  await load('open', {
    address: laid.record.endpoints['policy-engine'],
    serverSpiffeId: serviceSpiffeId(laid.record.trustDomain, 'policy-engine'),
    serverName: `policy-engine.${laid.record.trustDomain}`,
    material: plainMaterial(await pointMaterial(laid, 'load')),
    connections: CONNECTIONS,
  });
}

/** Runs a closed loop and reads what engine and database spent meanwhile. */
async function spent({ load, enginePid, serverPid }, shape, answersEach) {
  const before = [cpuSeconds(enginePid), treeCpuSeconds(serverPid)];
  const { seconds, calls } = await load('closedLoop', shape);
  const after = [cpuSeconds(enginePid), treeCpuSeconds(serverPid)];
  const decisions = calls * answersEach;
  const [engineUs, databaseUs] = [0, 1].map((which) =>
    microsecondsPerOp(before[which], after[which], decisions),
  );
  return { rate: decisions / seconds, engineUs, databaseUs };
}

async function single(bench, requests, name) {
  const { load } = bench;
  const messages = requests.map((request) => DecideRequest.encode(request).finish());
  await load('prepare', { kindName: 'decide', messages, answers: 1 });
  await load('closedLoop', { count: WARM_UP_CALLS, inFlight: IN_FLIGHT });
  const warmUntilMs = performance.now() + WARM_UP_SECONDS_MAX * 1000;
  for (let warm = 0; warm < 10 && performance.now() < warmUntilMs; warm += 1)
    await load('closedLoop', { count: 3_000, inFlight: IN_FLIGHT });
  const rounds = await inRounds(async (round) => {
    const full = await spent(bench, { count: CALLS, inFlight: IN_FLIGHT }, 1);
    const paced = await load('openLoop', { perSecond: full.rate * PACED_SHARE, seconds: PACED_SECONDS });
    progress(`round ${round + 1}: ${Math.round(full.rate)}/s, paced p99 ${paced.p99Ms.toFixed(1)} ms`);
    return { full, paced };
  }, MEASURING_SECONDS_MAX);
  const databaseUs = Math.round(median(rounds.map(({ full }) => full.databaseUs ?? 0)));
  report({
    name,
    unit: 'decisions/s',
    values: rounds.map(({ full }) => full.rate),
    cpuUsPerOp: rounds.map(({ full }) => full.engineUs),
    p50Ms: rounds.map(({ paced }) => paced.p50Ms),
    p99Ms: rounds.map(({ paced }) => paced.p99Ms),
    note: `${IN_FLIGHT} in flight on ${CONNECTIONS} connections; every answer is a durable allow; CPU is of the policy engine, PostgreSQL's is ${databaseUs} µs more; latency at ${PACED_SHARE * 100} % of the rate`,
  });
}

async function batches(bench, requests, name) {
  const { load } = bench;
  const all = Array.from({ length: BATCH }, (_, place) => requests[place % requests.length]);
  const message = DecideBatchRequest.encode({ requests: all }).finish();
  await load('prepare', { kindName: 'batch', messages: [message], answers: BATCH });
  await load('closedLoop', { count: BATCH_CALLS / 4, inFlight: BATCHES_IN_FLIGHT });
  const shape = { count: BATCH_CALLS, inFlight: BATCHES_IN_FLIGHT };
  const rounds = await inRounds(() => spent(bench, shape, BATCH), MEASURING_SECONDS_MAX / 2);
  report({
    name,
    unit: 'decisions/s',
    values: rounds.map(({ rate }) => rate),
    cpuUsPerOp: rounds.map(({ engineUs }) => engineUs),
    note: `${BATCH} decisions a call, ${BATCHES_IN_FLIGHT} calls in flight; CPU is of the policy engine for one decision`,
  });
}

await figure(async (ground) => {
  const laid = await layServices(ground);
  const names = ground.name === 'decide-suite' ? suiteServices : NEEDED;
  const processes = await startServices(laid, names, ground);
  const operator = await operatorOf(laid, ground);
  const asked = await agentsAtWork(laid, operator, AGENTS);
  const point = await pointClients(laid, 'erp', ground);
  const requests = await untilAllowed(point.decisions, asked, isAllowed);
  const load = companion('grpc-load.mjs', ground);
  await connected(laid, load);
  const bench = { load, enginePid: processes.pid('policy-engine'), serverPid: postgresPid(ground.folder) };
  await single(bench, requests, ground.name);
  await batches(bench, requests, `${ground.name}-batch`);
});
