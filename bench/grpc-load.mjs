// The load generator, a process of its own: unary gRPC calls over HTTP/2 and mutual TLS from prepared frames, as cheap as
// can be, so that the server is what is measured. Every answer is decoded and checked.
import { DecideBatchResponse, DecideResponse } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { takeOrders } from './companion.mjs';
import { CallConnection, headerBlock } from './h2-calls.mjs';
import { percentile } from './measure.mjs';

const FRAME_HEADER_BYTES = 5;
const CALL_MS_MAX = 10_000;

/** Kinds of calls: the path, and how many answers of a message say allow, durably. */
const kinds = {
  decide: {
    path: '/writ.policy.v1.DecisionService/Decide',
    allowed: (bytes) => (isDurableAllow(DecideResponse.decode(bytes)) ? 1 : 0),
  },
  batch: {
    path: '/writ.policy.v1.DecisionService/DecideBatch',
    allowed: (bytes) => DecideBatchResponse.decode(bytes).responses.filter(isDurableAllow).length,
  },
};

function isDurableAllow({ outcome, position }) {
  return outcome === Outcome.OUTCOME_ALLOW && position !== undefined && position.pos > 0n;
}

/** A length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"), uncompressed. */
function frameOf(message) {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

let connections = [];
let authority = '';
let headers;
let frames;
let kind;
let answersEach;
let place = 0;

async function open({ address, serverSpiffeId, serverName, material, connections: count }) {
  const options = {
    ca: material.rootsPem,
    cert: material.chainPem,
    key: material.keyPem,
    servername: serverName,
    checkServerIdentity: (_host, { subjectaltname }) =>
      subjectaltname === `URI:${serverSpiffeId}`
        ? undefined
        : new Error(`the server is \`${subjectaltname}\`, not \`${serverSpiffeId}\``),
  };
  const { hostname, port } = new URL(`https://${address}`);
  authority = address;
  connections = await Promise.all(
    Array.from({ length: count }, () => CallConnection.open(hostname, Number(port), options)),
  );
}

/** One call; resolves with how many allows it brought, rejects when it brought anything else. */
async function callOnce() {
  place += 1;
  const connection = connections[place % connections.length];
  const allowed = kind.allowed(await connection.call(headers, frames[place % frames.length]));
  if (allowed !== answersEach) throw new Error(`${allowed} of ${answersEach} answers say allow`);
}

/** `count` calls, `inFlight` at a time. */
async function closedLoop({ count, inFlight }) {
  const ms = [];
  let begun = 0;
  const startMs = performance.now();
  const worker = async () => {
    while (begun < count) {
      begun += 1;
      const sentMs = performance.now();
      await callOnce();
      ms.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { seconds: (performance.now() - startMs) / 1000, calls: ms.length, ...latencies(ms) };
}

/** Calls at a fixed rate, whatever the answers take; each is counted from the moment it was due. */
async function openLoop({ perSecond, seconds }) {
  const ms = [];
  const running = [];
  const count = Math.floor(perSecond * seconds);
  const startMs = performance.now();
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - startMs) / 1000) * perSecond));
    for (; sent < due; sent += 1) {
      const dueMs = startMs + (sent / perSecond) * 1000;
      running.push(callOnce().then(() => ms.push(performance.now() - dueMs)));
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (performance.now() - startMs > seconds * 1000 + CALL_MS_MAX)
      throw new Error(`the generator sent ${sent} of ${count} calls and is out of time`);
  }
  await Promise.all(running);
  return { seconds: (performance.now() - startMs) / 1000, calls: ms.length, ...latencies(ms) };
}

function latencies(ms) {
  return { p50Ms: percentile(ms, 0.5), p99Ms: percentile(ms, 0.99) };
}

function prepare({ kindName, messages, answers }) {
  kind = kinds[kindName];
  answersEach = answers;
  frames = messages.map(frameOf);
  headers = headerBlock({ path: kind.path, authority, timeoutMs: CALL_MS_MAX });
}

takeOrders({
  open,
  prepare: async (o) => prepare(o),
  closedLoop,
  openLoop,
});
