// `client`: decisions through @writ/client by 64 callers of one process, questions of a turn put together, beside the same
// client that asks one by one. The policy engine is a process of its own, fed by registry and session broker.
import { serviceSpiffeId } from '@writ/service';
import { isAllowed } from '@writ/writd/walk/agent-session.js';
import { action, agentsAtWork, untilAllowed } from './agents-at-work.mjs';
import { companion, plainMaterial } from './companion.mjs';
import { figure } from './ground.mjs';
import { cpuSeconds, inRounds, median, microsecondsPerOp, progress, report } from './measure.mjs';
import { layServices, operatorOf, pointClients, pointMaterial, startServices } from './services.mjs';

const NEEDED = ['registry', 'session-broker', 'policy-engine'];
const AGENTS = 8;
const CALLERS = 64;
const TOGETHER = 100;
const ONE_BY_ONE = 1;
const WARM_UP_DECISIONS = 6_000;
const DECISIONS = 8_000;
const MEASURING_SECONDS_MAX = 60;

/** A question in the client's words, of a request in the contract's. */
function questionOf({ token, presentedCertificateSha256 }) {
  const { type, name, location, identifier } = action;
  return { token, presentedCertificateSha256, action: { type, name, location, identifier } };
}

/** One way of asking: what it reached, and what it took of the client's and the engine's CPU. */
async function asked({ load, server, enginePid }, maxBatch) {
  await load('open', { ...server, maxBatch });
  await load('closedLoop', { count: CALLERS * 4, callers: CALLERS });
  const before = cpuSeconds(enginePid);
  const loop = await load('closedLoop', { count: DECISIONS, callers: CALLERS });
  return { ...loop, engineUs: microsecondsPerOp(before, cpuSeconds(enginePid), DECISIONS) };
}

async function warmUp({ load, server }) {
  for (const maxBatch of [TOGETHER, ONE_BY_ONE]) {
    await load('open', { ...server, maxBatch });
    await load('closedLoop', { count: WARM_UP_DECISIONS, callers: CALLERS });
  }
}

async function measured(bench) {
  await warmUp(bench);
  const rounds = await inRounds(async (round) => {
    const together = await asked(bench, TOGETHER);
    const single = await asked(bench, ONE_BY_ONE);
    progress(
      `round ${round + 1}: ${Math.round(together.rate)}/s together, ${Math.round(single.rate)}/s one by one`,
    );
    return { together, single };
  }, MEASURING_SECONDS_MAX);
  const of = (way, value) => rounds.map((round) => round[way][value]);
  const middle = (way, value) => Math.round(median(of(way, value).map((one) => one ?? 0)));
  report({
    name: 'client',
    unit: 'decisions/s',
    values: of('together', 'rate'),
    cpuUsPerOp: of('together', 'cpuUs'),
    p50Ms: of('together', 'p50Ms'),
    p99Ms: of('together', 'p99Ms'),
    peer: 'the same client, one by one',
    peerValues: of('single', 'rate'),
    note: `${CALLERS} callers; every answer is a durable allow under a request id; CPU is of the client's process, ${middle('single', 'cpuUs')} µs one by one; the engine's is ${middle('together', 'engineUs')} µs, one by one ${middle('single', 'engineUs')}; p50 one by one ${middle('single', 'p50Ms')} ms`,
  });
}

await figure(async (ground) => {
  const laid = await layServices(ground);
  const processes = await startServices(laid, NEEDED, ground);
  const operator = await operatorOf(laid, ground);
  const atWork = await agentsAtWork(laid, operator, AGENTS);
  const point = await pointClients(laid, 'erp', ground);
  const requests = await untilAllowed(point.decisions, atWork, isAllowed);
  const load = companion('client-load.mjs', ground);
  const { chainPem, keyPem, rootsPem } = plainMaterial(await pointMaterial(laid, 'load'));
  await load('prepare', { questions: requests.map(questionOf) });
  const server = {
    address: laid.record.endpoints['policy-engine'],
    serverSpiffeId: serviceSpiffeId(laid.record.trustDomain, 'policy-engine'),
    identity: { chainPem, keyPem, rootsPem },
  };
  await measured({ load, server, enginePid: processes.pid('policy-engine') });
});
