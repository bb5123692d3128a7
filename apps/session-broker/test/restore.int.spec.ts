import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import type { RunningService } from '@writ/service';
import type pg from 'pg';
import { House, type TestAgent, until } from './house.js';
import { faultsOf, Point, RawWatch } from './points.js';

let house: House;
let second: RunningService;
let sql: pg.Pool;
let agent: TestAgent;
const points: Point[] = [];
const raws: RawWatch[] = [];

beforeAll(async () => {
  house = await House.build();
  second = await house.replica();
  sql = house.sql();
  agent = await house.agent();
});
afterEach(async () => {
  for (const { feed } of points.splice(0)) await feed.stop();
  for (const raw of raws.splice(0)) raw.close();
});
afterAll(() => house?.stop());

const point = async (broker?: RunningService) => {
  const made = await Point.start(house, broker);
  points.push(made);
  return made;
};
const raw = async () => {
  const made = await RawWatch.open(house);
  raws.push(made);
  made.hello();
  await made.first('heartbeat');
  return made;
};
const lock = () => house.lock(LockTargetKind.LOCK_TARGET_KIND_AGENT, agent.id);
const startedOver = (watching: Point, times: number) =>
  until(
    () => watching.epochs.length === times + 1 && watching.feed.state() === 'LIVE',
    'a point to load everything anew',
  );

describe('a broker that cannot read its database', () => {
  it('sends no heartbeat, so that points deny, and goes on when it can read again', async () => {
    const watching = await point();
    const quiet = await raw();
    await sql.query('revoke select on session_broker_view.stop from writ_session_broker');
    try {
      await delay(1_500);
      const beats = quiet.heard.length;
      await until(() => watching.feed.state() === 'STALE', 'the point to deny');
      expect(quiet.heard.length).toBe(beats);
    } finally {
      await sql.query('grant select on session_broker_view.stop to writ_session_broker');
    }
    await until(() => watching.feed.state() === 'LIVE', 'the point to be LIVE');
    const { lock: placed } = await lock();
    await until(() => watching.feed.seq >= placed.seq, 'the next order');
  });
});

describe('a hole in what a point hears', () => {
  it('makes it deny, load everything anew, and go on', async () => {
    const watching = await point();
    await lock();
    await sql.query(
      `insert into session_broker_view.stop (seq, kind, target_id, not_before, reason, lock_id, version)
       select max(seq) + 2, 2, $1, now(), 'behind a hole', '', 1 from session_broker_view.stop`,
      [agent.id],
    );
    await startedOver(watching, 1);
    expect(watching.states).toEqual(['LIVE', 'SYNCING', 'LIVE']);
    expect(watching.epochs[1]).toBe(watching.epochs[0]);
    expect(watching.held.at(-1)).toMatchObject({ seq: watching.feed.seq, reason: 'behind a hole' });
  });
});

describe('a restore under a running broker', () => {
  it('that loses orders gives a new epoch, on every replica, and points load what is left', async () => {
    const { lock: kept } = await lock();
    const { lock: lost } = await lock();
    const [here, there] = [await point(), await point(second)];
    await until(() => here.feed.seq >= lost.seq && there.feed.seq >= lost.seq, 'both points');
    const client = await raw();
    await sql.query('delete from session_broker_view.stop where seq > $1', [kept.seq.toString()]);
    await startedOver(here, 1);
    await startedOver(there, 1);
    expect(here.epochs[1]).toBe(there.epochs[1]);
    expect(here.epochs[1]).not.toBe(here.epochs[0]);
    expect(here.feed.seq).toBe(kept.seq);
    expect(here.held.map(({ lockId }) => lockId)).not.toContain(lost.lockId);
    expect(await client.over).toMatchObject({ status: 'UNAVAILABLE', reason: 'WATCH_EPOCH_CHANGED' });
  });

  it('that is known by its timeline gives a new epoch, though no order is missing', async () => {
    const watching = await point();
    await sql.query(
      `update session_broker_view.stop_epoch set cluster = split_part(cluster, '/', 1) || '/00000000'`,
    );
    await startedOver(watching, 1);
    const { lock: placed } = await lock();
    await until(() => watching.feed.seq >= placed.seq, 'the next order');
    const { rows } = await sql.query('select cluster from session_broker_view.stop_epoch');
    expect(rows[0].cluster).toMatch(/^\d+\/0000000[1-9]$/);
  });

  it('is noticed by the next order too, which is no order of the old epoch', async () => {
    for (let n = 0; n < 3; n += 1) {
      const client = await raw();
      await sql.query(
        `update session_broker_view.stop_epoch set cluster = split_part(cluster, '/', 1) || '/00000000'`,
      );
      const { lock: placed } = await lock();
      expect(await client.over).toMatchObject({ reason: 'WATCH_EPOCH_CHANGED' });
      const orders = client.heard.filter((down) => down.$case === 'delta');
      expect(orders.map(({ value }) => value.seq)).not.toContain(placed.seq);
    }
  });

  it('leaves the streams of the new epoch without fault', async () => {
    await sql.query(`update session_broker_view.stop_epoch set epoch = gen_random_uuid()`);
    await delay(500);
    const client = await raw();
    await lock();
    await delay(1_200);
    expect(faultsOf(client.heard)).toEqual([]);
  });
});
