// Fifty enforcement points in a process of their own: each a real lock feed with its own certificate, connection and lock
// table. Locks are placed from here too, so that one clock measures all.
import { setTimeout as delay } from 'node:timers/promises';
import { LockTable } from '@writ/authority';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import {
  createLogger,
  Identity,
  LockFeed,
  Secret,
  SystemClock,
  serviceSpiffeId,
  Telemetry,
} from '@writ/service';
import { clientsOf } from '@writ/writd/suite/clients.js';
import { takeOrders } from './companion.mjs';

const ARRIVAL_MS_MAX = 5_000;
const PAUSE_MS = 20;

const clock = new SystemClock();
const telemetry = new Telemetry(createLogger({ service: 'bench', level: 'error' }));
const materialOf = (plain) => ({ ...plain, keyPem: new Secret(plain.keyPem) });
/** Milliseconds since 1970 with fractions: PostgreSQL's commit times are read by the same machine clock. */
const wallMs = () => performance.timeOrigin + performance.now();

/** One point: what it holds decides, and it notes when it held a lock first. */
class Point {
  #table = new LockTable();
  #count = 0;
  #heldMs = new Map();

  constructor({ address, trustDomain }, material, index) {
    this.feed = new LockFeed({
      identity: new Identity(materialOf(material)),
      address,
      serverSpiffeId: serviceSpiffeId(trustDomain, 'session-broker'),
      pointId: `point-${index}`,
      sink: this,
      clock,
      telemetry,
    });
  }

  reset() {
    this.#table = new LockTable();
    this.#count = 0;
  }

  full(entries) {
    this.#count = entries.length;
    const ordered = entries.toSorted((a, b) => (a.seq < b.seq ? -1 : 1));
    this.#table.applyFull({
      seq: this.#count,
      entries: ordered.map((entry, at) => lockEntry(entry, at + 1)),
    });
  }

  delta(entry) {
    this.#count += 1;
    this.#table.applyDelta(lockEntry(entry, this.#count));
    this.#heldMs.set(entry.targetId, performance.now());
    arrived.get(entry.targetId)?.();
  }

  heldMs(agentId) {
    return this.#heldMs.get(agentId);
  }

  /** What an enforcement point asks before it lets a session of the agent act. */
  denies(agentId, openedMs) {
    if (this.feed.state() !== 'LIVE') return true;
    const principals = [{ kind: 'agent', id: agentId }];
    return (
      this.#table.blockedBy({ principals, issuedAtMs: openedMs, nowMs: clock.now().getTime() }) !== undefined
    );
  }
}

function lockEntry(entry, seq) {
  const isAgent = entry.targetKind === WatchTargetKind.WATCH_TARGET_KIND_AGENT;
  const { notBefore, reason, lockId, targetId } = entry;
  const target = isAgent ? { kind: 'agent', target: targetId } : { kind: 'everything', target: '' };
  return { seq, ...target, notBeforeMs: notBefore.getTime(), reason, lockId };
}

/** By the agent of a lock that is on its way: is called by each point that holds it. */
const arrived = new Map();

let points = [];
let locks;

async function open({ address, record, materials, operator }) {
  points = materials.map(
    (material, index) => new Point({ address, trustDomain: record.trustDomain }, material, index),
  );
  for (const { feed } of points) await feed.start();
  locks = clientsOf(record, new Identity(materialOf(operator))).locks;
  await until('all points are live', () => points.every(({ feed }) => feed.state() === 'LIVE'));
}

async function until(what, holds) {
  const giveUpAtMs = performance.now() + ARRIVAL_MS_MAX;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${ARRIVAL_MS_MAX} ms: ${what}`);
    await delay(1);
  }
}

/** Resolves when every point holds a lock on the agent, and takes no time of theirs until then. */
function heldByAll(agentId) {
  let left = points.length;
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(new Error(`${left} points hold no lock on \`${agentId}\` after ${ARRIVAL_MS_MAX} ms`));
    const timer = setTimeout(late, ARRIVAL_MS_MAX);
    arrived.set(agentId, () => {
      left -= 1;
      if (left > 0) return;
      clearTimeout(timer);
      resolve();
    });
  }).finally(() => arrived.delete(agentId));
}

/** One lock on an agent of its own: when it was asked for, answered, and held by each point; every point must deny. */
async function lockOne() {
  const agentId = clock.newId('agt');
  const openedMs = clock.now().getTime();
  const tooEarly = points.find((point) => point.denies(agentId, openedMs));
  if (tooEarly !== undefined) throw new Error('a point denies an agent that nobody locked');
  const allHold = heldByAll(agentId);
  const offsetMs = wallMs() - performance.now();
  const sentMs = performance.now();
  const { lock, pointsConfirmed } = await locks.placeLock({
    targetKind: LockTargetKind.LOCK_TARGET_KIND_AGENT,
    targetId: agentId,
    reason: 'bench',
    expireTime: undefined,
    requestId: '',
  });
  const answeredMs = performance.now();
  await allHold;
  if (!points.every((point) => point.denies(agentId, openedMs)))
    throw new Error('a point holds a lock and allows');
  const held = points.map((point) => point.heldMs(agentId));
  const lastMs = Math.max(...held);
  return {
    lockId: lock.lockId,
    confirmed: pointsConfirmed,
    eachMs: held.map((ms) => ms - sentMs),
    lastMs: lastMs - sentMs,
    afterAnswerMs: Math.max(0, lastMs - answeredMs),
    answerMs: answeredMs - sentMs,
    lastWallMs: lastMs + offsetMs,
  };
}

async function place({ count }) {
  const placed = [];
  for (let n = 0; n < count; n += 1) {
    placed.push(await lockOne());
    await delay(PAUSE_MS);
  }
  return placed;
}

takeOrders({ open, place });
