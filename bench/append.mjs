// `append-single`, `append-grouped`: facts into the event store on a durable PostgreSQL, beside plain inserts of the same
// bytes, in turns.
import { randomBytes } from 'node:crypto';
import { GroupCommit, migrate, PostgresEventStore } from '@writ/event-store';
import { ownCall, SystemClock } from '@writ/service';
import { databaseOf, durablePostgres, figure } from './ground.mjs';
import { inRounds, microsecondsPerOp, percentile, report } from './measure.mjs';

const FACT_BYTES = 300;
const GROUP_FACTS = 500;
const CONNECTIONS = 16;
const SERVICE = 'policy-engine';
const MEASURING_SECONDS_MAX = 60;

const clock = new SystemClock();
const call = ownCall({
  clock,
  service: SERVICE,
  trustDomain: 'writ.local',
  certificateSha256: '',
  cause: 'bench',
  trace: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: '' },
});

function newAppend() {
  const id = clock.newId('dec');
  const facts = [{ type: 'DecisionMade', data: randomBytes(FACT_BYTES) }];
  return { streamId: `decision-${id}`, kind: 'decision', partKey: id, expected: 'none', facts, call };
}

/** Does `count` pieces of work, `inFlight` at a time, and answers how long each took. */
async function work(count, inFlight, one) {
  const ms = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      next += 1;
      const startMs = performance.now();
      await one();
      ms.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return ms;
}

/** Facts per second, CPU of this process per fact, latencies. */
async function timed(facts, run) {
  const before = process.cpuUsage();
  const startMs = performance.now();
  const ms = await run();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { rate: facts / seconds, cpuUs: microsecondsPerOp(0, (user + system) / 1e6, facts), ms };
}

async function plainTable(database) {
  await database.query(`create table plain (pos bigint generated always as identity primary key, id uuid not null,
    stream_id text not null, type text not null, part_key text not null, at timestamptz not null, meta jsonb not null, data bytea not null)`);
}

const meta = JSON.stringify({
  actor: call.actor,
  cause: call.cause,
  callId: call.callId,
  traceparent: call.traceparent,
  tracestate: '',
});

/** The columns of one fact in the plain table, the identity aside. */
const rowOf = ({ streamId, partKey, facts: [fact] }) => [
  call.newEventId(),
  streamId,
  fact.type,
  partKey,
  call.at,
  meta,
  fact.data,
];

const singleSql =
  'insert into plain (id, stream_id, type, part_key, at, meta, data) values ($1, $2, $3, $4, $5, $6, $7)';
const groupedSql = `insert into plain (id, stream_id, type, part_key, at, meta, data)
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::bytea[])`;

function single(store, _database, plain) {
  return {
    facts: 3_000,
    peer: 'plain insert per transaction',
    note: `one fact of ${FACT_BYTES} B per transaction, ${CONNECTIONS} connections`,
    ours: (facts) => work(facts, CONNECTIONS, () => store.append([newAppend()])),
    theirs: (facts) =>
      work(facts, CONNECTIONS, () => plain.query(singleSql, rowOf(newAppend()), 'plain.single')),
  };
}

function grouped(store, database, plain) {
  const group = new GroupCommit({
    database,
    store,
    itemsMax: GROUP_FACTS,
    prepare: async (_tx, items) => items.map((item) => ({ appends: [item], outcome: undefined })),
  });
  const insert = () => {
    const rows = Array.from({ length: GROUP_FACTS }, () => rowOf(newAppend()));
    const columns = rows[0].map((_, column) => rows.map((row) => row[column]));
    return plain.query(groupedSql, columns, 'plain.grouped');
  };
  return {
    facts: 40_000,
    peer: `insert … select unnest of ${GROUP_FACTS}`,
    note: `facts of ${FACT_BYTES} B by group commit, ${2 * GROUP_FACTS} waiting, at most ${GROUP_FACTS} a transaction`,
    ours: (facts) => work(facts, 2 * GROUP_FACTS, () => group.submit(newAppend())),
    theirs: (facts) => work(facts / GROUP_FACTS, 1, insert),
  };
}

await figure(async (ground) => {
  const postgres = await durablePostgres(ground);
  const ownerUrl = postgres.url('bench');
  const password = randomBytes(16).toString('hex');
  await migrate({ ownerUrl, service: SERVICE, runtimeRole: 'writ_bench', password });
  const url = new URL(ownerUrl);
  url.username = 'writ_bench';
  url.password = password;
  const database = databaseOf(postgres, ground, { url: url.href, connectionsMax: CONNECTIONS });
  const plain = databaseOf(postgres, ground, { connectionsMax: CONNECTIONS });
  await plainTable(plain);
  const store = new PostgresEventStore({ database, service: SERVICE });
  const shape = { 'append-single': single, 'append-grouped': grouped }[ground.name](store, database, plain);
  await shape.ours(shape.facts / 4);
  await shape.theirs(shape.facts / 4);
  const headBefore = await store.head();
  const rounds = await inRounds(async () => {
    const own = await timed(shape.facts, () => shape.ours(shape.facts));
    const peer = await timed(shape.facts, () => shape.theirs(shape.facts));
    return { own, peer };
  }, MEASURING_SECONDS_MAX);
  const stored = (await store.head()) - headBefore;
  if (stored !== rounds.length * shape.facts)
    throw new Error(`${stored} facts are stored, not all that were appended`);
  report({
    name: ground.name,
    unit: 'events/s',
    values: rounds.map(({ own }) => own.rate),
    cpuUsPerOp: rounds.map(({ own }) => own.cpuUs),
    p50Ms: rounds.map(({ own }) => percentile(own.ms, 0.5)),
    p99Ms: rounds.map(({ own }) => percentile(own.ms, 0.99)),
    peer: shape.peer,
    peerValues: rounds.map(({ peer }) => peer.rate),
    note: `${shape.note}; CPU is of the appending process`,
  });
});
