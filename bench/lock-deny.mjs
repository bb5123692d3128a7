// `lock-deny`: from the order to lock an agent to its denial at each of fifty enforcement points. The session broker is a
// process of its own on durable PostgreSQL; the points and whoever places the locks are another.
import { companion, plainMaterial } from './companion.mjs';
import { databaseOf, figure } from './ground.mjs';
import { cpuSeconds, inRounds, microsecondsPerOp, percentile, progress, report } from './measure.mjs';
import { layServices, operatorOf, pointMaterial, startServices } from './services.mjs';

const POINTS = 50;
const LOCKS = 100;
const WARM_UP_LOCKS = 50;
const MEASURING_SECONDS_MAX = 70;

/** When PostgreSQL wrote the commit of each lock, in milliseconds since 1970: at the start of its way to the disk. */
async function commitsOf(database, lockIds) {
  const { rows } = await database.query(
    `select lock_id, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at
     from session_broker_view.stop where lock_id = any($1)`,
    [lockIds],
  );
  return new Map(rows.map(({ lock_id: lockId, at }) => [lockId, Number(at)]));
}

/** PostgreSQL does not remember commit times unless told before it starts. */
async function rememberCommits({ postgres }, ground) {
  const database = databaseOf(postgres, ground, { url: postgres.url('postgres'), connectionsMax: 1 });
  await database.query('alter system set track_commit_timestamp = on');
  await postgres.stop();
  await postgres.startAgain();
}

async function round(bench) {
  const { points, brokerPid, database } = bench;
  const before = cpuSeconds(brokerPid);
  const placed = await points('place', { count: LOCKS });
  const cpuUs = microsecondsPerOp(before, cpuSeconds(brokerPid), LOCKS);
  const commits = await commitsOf(
    database,
    placed.map(({ lockId }) => lockId),
  );
  if (commits.size !== LOCKS) throw new Error(`${commits.size} of ${LOCKS} locks are recorded`);
  const last = placed.map(({ lastMs }) => lastMs);
  progress(
    `to the last point: p50 ${percentile(last, 0.5).toFixed(1)} ms, p99 ${percentile(last, 0.99).toFixed(1)} ms`,
  );
  return {
    cpuUs,
    last,
    each: placed.flatMap(({ eachMs }) => eachMs),
    fromCommit: placed.map(({ lockId, lastWallMs }) => lastWallMs - commits.get(lockId)),
    afterAnswer: placed.map(({ afterAnswerMs }) => afterAnswerMs),
    unconfirmed: placed.filter(({ confirmed }) => confirmed < POINTS).length,
  };
}

function tell(name, rounds, ms, note, cpuUsPerOp) {
  report({
    name,
    unit: 'ms',
    values: rounds.map((one) => percentile(ms(one), 0.5)),
    p50Ms: rounds.map((one) => percentile(ms(one), 0.5)),
    p99Ms: rounds.map((one) => percentile(ms(one), 0.99)),
    ...(cpuUsPerOp && { cpuUsPerOp }),
    note,
  });
}

await figure(async (ground) => {
  const laid = await layServices(ground);
  await rememberCommits(laid.ground, ground);
  const processes = await startServices(laid, ['registry', 'session-broker'], ground);
  const operator = await operatorOf(laid, ground);
  const points = companion('lock-points.mjs', ground);
  const materials = await Promise.all(
    Array.from({ length: POINTS }, (_, n) => pointMaterial(laid, `point-${n}`).then(plainMaterial)),
  );
  await points('open', {
    address: laid.record.endpoints['session-broker'],
    record: laid.record,
    materials,
    operator: plainMaterial(operator.identity.current()),
  });
  await points('place', { count: WARM_UP_LOCKS });
  const url = laid.ground.postgres.url('writ');
  const database = databaseOf(laid.ground.postgres, ground, { url, connectionsMax: 1 });
  const bench = { points, database, brokerPid: processes.pid('session-broker') };
  const rounds = await inRounds(() => round(bench), MEASURING_SECONDS_MAX);
  const cpuUs = rounds.map((one) => one.cpuUs);
  const unconfirmed = rounds.reduce((sum, one) => sum + one.unconfirmed, 0);
  tell(
    'lock-deny',
    rounds,
    ({ last }) => last,
    `from sending PlaceLock to the last of ${POINTS} points denying; ${unconfirmed} locks not confirmed by all within 50 ms; CPU is of the session broker for one lock`,
    cpuUs,
  );
  tell(
    'lock-deny-any',
    rounds,
    ({ each }) => each,
    'from sending PlaceLock to a point denying, over all points',
  );
  tell(
    'lock-deny-from-commit',
    rounds,
    ({ fromCommit }) => fromCommit,
    'from the commit record, its way to the disk included, to the last point denying',
  );
  tell(
    'lock-deny-after-answer',
    rounds,
    ({ afterAnswer }) => afterAnswer,
    'from the answer of PlaceLock, 0 when all points denied before it',
  );
});
