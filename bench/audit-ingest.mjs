// `audit-ingest`: facts that the bus holds already, into the ledger. The audit service is a process of its own; in each
// round it starts with new facts waiting and is timed from the first that is entered to the last. `audit-ingest-siem`
// lets it send OCSF events to a topic and a file meanwhile, as it does by default.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import {
  FACTS_PARTITIONS,
  factsTopic,
  factsTopicSpec,
  PostgresBus,
  partitionOf,
  recordOf,
} from '@writ/event-bus';
import { SystemClock, sha256Base64Url } from '@writ/service';
import { action } from './agents-at-work.mjs';
import { databaseOf, figure, postgresPid } from './ground.mjs';
import {
  cpuSeconds,
  inRounds,
  median,
  microsecondsPerOp,
  progress,
  report,
  treeCpuSeconds,
} from './measure.mjs';
import { layServices, startServices } from './services.mjs';

const SOURCE = 'policy-engine';
const FACTS = 40_000;
const PUBLISH_RECORDS = 500;
const AGENTS = 200;
const PLAIN_ROWS = 2_000;
const INGEST_MS_MAX = 60_000;
const LOOK_EVERY_MS = 25;
const MEASURING_SECONDS_MAX = 80;

const clock = new SystemClock();
const agents = Array.from({ length: AGENTS }, () => ({
  agentId: clock.newId('agt'),
  sessionId: clock.newId('ses'),
  personId: clock.newId('psn'),
  mandateId: clock.newId('mdt'),
}));

/** A decision as the policy engine records it. */
function decisionOf({ agentId, sessionId, personId, mandateId }, at) {
  const made = DecisionMade.fromPartial({
    decisionId: clock.newId('dec'),
    outcome: Outcome.OUTCOME_ALLOW,
    reasonCode: 'PERMITTED',
    reason: 'the mandate and the policies allow it',
    sessionId,
    agentId,
    personId,
    mandateId,
    task: 'read rates',
    purpose: 'rates for the treasury',
    action,
    actionDigest: `sha-256:${sha256Base64Url(randomBytes(32))}`,
    policySetVersion: 1,
    policyIds: ['read-within-mandate'],
    trustScore: 78,
    factsKnown: [{ source: 'registry', pos: 40n }],
    lockSeq: 3n,
    tokenId: clock.newId('tok'),
    decideTime: at,
  });
  return DecisionMade.encode(made).finish();
}

function factAt(pos) {
  const agent = agents[pos % AGENTS];
  const at = clock.now();
  return {
    pos,
    id: clock.newEventId(),
    streamId: `decision-${clock.newId('dec')}`,
    version: 1,
    type: 'DecisionMade',
    partKey: agent.agentId,
    at,
    meta: {
      actor: 'enforcement-point/erp',
      cause: clock.newEventId(),
      callId: clock.newEventId(),
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      tracestate: '',
    },
    data: decisionOf(agent, at),
  };
}

/** Publishes facts as the relay of their service would, each partition in the order of positions. */
async function publish(bus, facts) {
  const byPartition = Array.from({ length: FACTS_PARTITIONS }, () => []);
  for (const fact of facts)
    byPartition[partitionOf(fact.partKey, FACTS_PARTITIONS)].push(recordOf(SOURCE, 'policy', fact));
  for (const [partition, records] of byPartition.entries())
    for (let from = 0; from < records.length; from += PUBLISH_RECORDS)
      await bus.publish(factsTopic(SOURCE), partition, records.slice(from, from + PUBLISH_RECORDS));
}

async function ledgerSize(database) {
  const { rows } = await database.query('select size from ledger.state', [], 'bench.size');
  return Number(rows[0].size);
}

/** Entries per second from when the first of `facts` are seen in the ledger until all of them are. */
async function ingested(database, sizeBefore, auditPid, serverPid) {
  const spent = () => [cpuSeconds(auditPid), treeCpuSeconds(serverPid)];
  const giveUpAtMs = performance.now() + INGEST_MS_MAX;
  let first;
  for (;;) {
    const size = await ledgerSize(database);
    const seenMs = performance.now();
    if (first === undefined && size > sizeBefore) first = { size, seenMs, spent: spent() };
    if (size >= sizeBefore + FACTS) {
      const entries = size - first.size;
      if (entries < FACTS / 2)
        throw new Error(`only ${entries} entries came while somebody looked: too few to time`);
      const [auditUs, databaseUs] = spent().map((now, which) =>
        microsecondsPerOp(first.spent[which], now, entries),
      );
      return { rate: (entries * 1000) / (seenMs - first.seenMs), auditUs, databaseUs };
    }
    if (seenMs > giveUpAtMs)
      throw new Error(`${size - sizeBefore} of ${FACTS} facts are in the ledger after 60 s`);
    await delay(LOOK_EVERY_MS);
  }
}

const plainColumns = `leaf bytea, chain bytea, source text, pos bigint, event_id text, type text, at timestamptz, actor text,
  cause text, stream_id text, traceparent text, record bytea, payload bytea, salt bytea, subject_ids text, task text`;

/** The entries of a round in plain rows: the same bytes, one primary key, no chain, no other index. */
async function plainInserts(database, sizeBefore) {
  const { rows } = await database.query(
    `select leaf, chain, source, pos, event_id, type, at, actor, cause, stream_id, traceparent, record, payload, salt,
       array_to_string(subject_ids, ' ') as subject_ids, task
     from ledger.entry where idx >= $1 order by idx`,
    [sizeBefore],
  );
  const names = Object.keys(rows[0]);
  const types = plainColumns.split(',').map((column) => column.trim().split(' ')[1]);
  const sql = `insert into plain_entry (${names}) select * from unnest(${types.map((type, at) => `$${at + 1}::${type}[]`)})`;
  const chunks = [];
  for (let from = 0; from < rows.length; from += PLAIN_ROWS) {
    const chunk = rows.slice(from, from + PLAIN_ROWS);
    chunks.push(names.map((name) => chunk.map((row) => row[name])));
  }
  const startMs = performance.now();
  for (const columns of chunks) await database.query(sql, columns, 'bench.plain');
  return (rows.length * 1000) / (performance.now() - startMs);
}

async function round(bench) {
  const { laid, ground, database, bus, next } = bench;
  const sizeBefore = await ledgerSize(database);
  await publish(
    bus,
    Array.from({ length: FACTS }, (_, n) => factAt(next.pos + n)),
  );
  next.pos += FACTS;
  const processes = await startServices(laid, ['audit'], ground, { audit: bench.settings });
  const audit = processes.pid('audit');
  const taken = await ingested(database, sizeBefore, audit, postgresPid(ground.folder));
  await processes.stop();
  const peer = await plainInserts(database, sizeBefore);
  progress(`${Math.round(taken.rate)} entries/s, plain rows ${Math.round(peer)}/s`);
  return { ...taken, peer };
}

await figure(async (ground) => {
  const laid = await layServices(ground);
  const url = laid.ground.postgres.url('writ');
  const database = databaseOf(laid.ground.postgres, ground, { url, connectionsMax: 4 });
  await database.query(
    `create table plain_entry (idx bigint generated always as identity primary key, ${plainColumns})`,
  );
  // The owner publishes in the source's place: as far as the bus knows, it is the source.
  const bus = new PostgresBus(database, () => undefined);
  ground.onEnd(() => bus.close());
  await bus.ensureTopics([factsTopicSpec(SOURCE)]);
  const withSiem = ground.name === 'audit-ingest-siem';
  const settings = withSiem ? {} : { WRIT_SIEM_TOPIC: 'false', WRIT_SIEM_FILE_DIR: '' };
  const bench = { laid, ground, database, bus, settings, next: { pos: 1 } };
  const rounds = await inRounds(() => round(bench), MEASURING_SECONDS_MAX);
  const databaseUs = Math.round(median(rounds.map((one) => one.databaseUs ?? 0)));
  report({
    name: ground.name,
    unit: 'entries/s',
    values: rounds.map(({ rate }) => rate),
    cpuUsPerOp: rounds.map(({ auditUs }) => auditUs),
    peer: `insert … select unnest of ${PLAIN_ROWS}`,
    peerValues: rounds.map(({ peer }) => peer),
    note: `${FACTS} decisions in ${FACTS_PARTITIONS} partitions wait on the bus; CPU is of the audit service, PostgreSQL's is ${databaseUs} µs more; the peer writes the same bytes without chain and indexes`,
  });
});
