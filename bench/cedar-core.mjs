// `cedar-core`: decisions in process by `libs/cedar`, beside cedar-wasm with parsed policies, in turns. Ten to ten thousand
// policies with a scope, of which one or two apply; and a hundred without any, which all must be evaluated.
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { PolicySet } from '@writ/cedar';
import { inRounds, microsecondsPerOp, percentile, report } from './measure.mjs';

const ROUND_MS = 400;
const PEER_ROUND_MS = 300;
const MEASURING_SECONDS_MAX = 12;
const QUESTIONS = 64;
const LATENCIES = 20_000;
const ACTIONS = 10;
const SIZES = [10, 100, 1_000, 10_000];
const UNSCOPED = 100;

const roleOf = (n) => `role-${n % 1_000}`;
const folderOf = (n) => `folder-${Math.floor(n / ACTIONS)}`;
const actionOf = (n) => `action-${n % ACTIONS}`;

function scoped(count) {
  return Array.from({ length: count }, (_, n) => {
    const scope = `principal in Role::"${roleOf(n)}", action == Action::"${actionOf(n)}", resource in Folder::"${folderOf(n)}"`;
    if (n % 10 === 9) return `forbid (${scope}) when { context.amount > 5000 };`;
    return `permit (${scope}) when { context.amount <= 1000 && resource.owner == principal };`;
  });
}

/** Nothing but conditions: no index helps. */
function unscoped(count) {
  return Array.from(
    { length: count },
    (_, n) => `${n % 10 === 9 ? 'forbid' : 'permit'} (principal, action, resource) when {
      context.amount == ${n} && principal in Role::"${roleOf(n)}" };`,
  );
}

/** Four entities, three levels deep: an agent in a team in a role, a document in a folder that is not among them. */
function question(n) {
  const [agent, team, role] = [
    { type: 'Agent', id: `agent-${n}` },
    { type: 'Team', id: `team-${n}` },
    { type: 'Role', id: roleOf(n) },
  ];
  const document = { type: 'Document', id: `document-${n}` };
  const entities = [
    { uid: agent, attrs: { level: 3 }, parents: [team] },
    { uid: team, attrs: {}, parents: [role] },
    { uid: role, attrs: {}, parents: [] },
    { uid: document, attrs: { owner: { __entity: agent } }, parents: [{ type: 'Folder', id: folderOf(n) }] },
  ];
  const action = { type: 'Action', id: actionOf(n) };
  return {
    principal: agent,
    action,
    resource: document,
    context: { amount: 10 + n, purpose: 'invoice' },
    entities,
  };
}

/** Asks in turn for so long; answers how often it could. */
function perSecond(milliseconds, questions, ask) {
  const before = process.cpuUsage();
  const startMs = performance.now();
  let asked = 0;
  do {
    for (const one of questions) ask(one);
    asked += questions.length;
  } while (performance.now() - startMs < milliseconds);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startMs) / 1_000;
  return { rate: asked / seconds, cpuUs: microsecondsPerOp(0, (user + system) / 1e6, asked) };
}

function latenciesMs(questions, ask) {
  return Array.from({ length: LATENCIES }, (_, n) => {
    const one = questions[n % questions.length];
    const startNs = process.hrtime.bigint();
    ask(one);
    return Number(process.hrtime.bigint() - startNs) / 1e6;
  });
}

async function measure(name, policies) {
  const count = policies.length;
  const questions = Array.from({ length: QUESTIONS }, (_, n) => question((n * 7) % count));
  const text = policies.join('\n');
  const startMs = performance.now();
  const set = PolicySet.prepare({ policies: text });
  const preparedMs = performance.now() - startMs;
  const prepared = questions.map((one) => ({ ...one, entities: set.entities(one.entities) }));
  const answered = preparsePolicySet(name, { staticPolicies: text });
  if (answered.type === 'failure') throw new Error(answered.errors[0].message);
  const askPeer = (one) => statefulIsAuthorized({ ...one, preparsedPolicySetId: name });
  for (const [n, one] of questions.entries()) {
    const { decision, reasons } = set.evaluate(prepared[n]);
    const { response } = askPeer(one);
    if (decision !== response.decision || reasons.join() !== response.diagnostics.reason.join())
      throw new Error(`${name}: the two answer differently`);
  }
  const evaluate = (one) => set.evaluate(one);
  perSecond(ROUND_MS, prepared, evaluate);
  const rounds = await inRounds(
    () => ({
      ours: perSecond(ROUND_MS, prepared, evaluate),
      peer: perSecond(PEER_ROUND_MS, questions.slice(0, 4), askPeer),
    }),
    MEASURING_SECONDS_MAX,
  );
  const ms = latenciesMs(prepared, evaluate);
  report({
    name,
    unit: '/s',
    values: rounds.map(({ ours }) => ours.rate),
    cpuUsPerOp: rounds.map(({ ours }) => ours.cpuUs),
    p50Ms: [percentile(ms, 0.5)],
    p99Ms: [percentile(ms, 0.99)],
    peer: 'cedar-wasm',
    peerValues: rounds.map(({ peer }) => peer.rate),
    note: `${count} policies prepared in ${preparedMs.toFixed(0)} ms; entities prepared, context read for each`,
  });
}

for (const size of SIZES) await measure(`cedar-core-${size}`, scoped(size));
await measure('cedar-core-unscoped', unscoped(UNSCOPED));
