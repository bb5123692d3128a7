import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { AgentTrustScored } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { PersonRegistered } from '@writ/contracts/writ/registry/v1/person_facts.js';
import pg from 'pg';
import { newRequestId, refusedWith, type Worker } from './asking.js';
import { House } from './house.js';
import { publish } from './neighbours.js';

let house: House;
let worker: Worker;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
});
afterAll(async () => {
  await house?.stop();
});

const reasonOf = async () => (await house.pay(worker, '1')).reasonCode;

describe('facts that a question names', () => {
  it('are waited for', async () => {
    const next = await publish(
      house.registry,
      AgentTrustScored,
      'AgentTrustScored',
      { agentId: worker.agentId, score: 20, functionVersion: 1, points: [] },
      worker.agentId,
    );
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'registry', pos: next }] });
    expect(answer.reasonCode).toBe('TRUST_PRODUCTION');
    const back = await publish(
      house.registry,
      AgentTrustScored,
      'AgentTrustScored',
      { agentId: worker.agentId, score: 78, functionVersion: 1, points: [] },
      worker.agentId,
    );
    expect((await house.pay(worker, '1', { atLeast: [{ source: 'registry', pos: back }] })).outcome).toBe(
      Outcome.OUTCOME_ALLOW,
    );
  });
  it('and do not come within half a second make it a deny', async () => {
    const startMs = house.world.clock.monotonicMs();
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'approvals', pos: 1_000_000n }] });
    const tookMs = house.world.clock.monotonicMs() - startMs;
    expect(answer).toMatchObject({ outcome: Outcome.OUTCOME_DENY, reasonCode: 'FACTS_STALE' });
    expect(answer.reason).toContain('approvals/1000000');
    expect(tookMs).toBeGreaterThanOrEqual(490);
  });
  it('may be decisions of the engine itself', async () => {
    const { position } = await house.pay(worker, '1');
    const atLeast = position === undefined ? [] : [position];
    expect(atLeast).toHaveLength(1);
    expect((await house.pay(worker, '1', { atLeast })).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
});

describe('a fact that cannot be read', () => {
  it('denies those it is about and nobody else, until somebody has looked into it', async () => {
    const [victim, other] = [await house.worker(), await house.worker()];
    const nonsense = {
      encode: (bytes: Uint8Array) => ({ finish: () => bytes }),
      decode: (bytes: Uint8Array) => bytes,
    };
    await publish(house.broker, nonsense, 'MandateGranted', Buffer.from('0aff', 'hex'), victim.agentId);
    await house.until(async () => (await house.pay(victim, '1')).reasonCode === 'FACTS_STALE');
    expect((await house.pay(other, '1')).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
});

describe('stale', () => {
  it('facts deny with a reason of their own, and are fresh again when they can be read', async () => {
    const blocker = new pg.Client({ connectionString: house.world.ownerUrl });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('lock table policy_engine_view.known_batch in access exclusive mode');
    await house.until(async () => (await reasonOf()) === 'FACTS_STALE', 6_000);
    expect((await house.pay(worker, '1')).reason).toContain('at most 3000 ms');
    await blocker.query('rollback');
    await blocker.end();
    await house.until(async () => (await reasonOf()) === 'PERMITTED');
  });
  it('stop orders deny with a reason of their own within four seconds of silence', async () => {
    house.watch.silent = true;
    await delay(1_000);
    expect(await reasonOf()).toBe('PERMITTED');
    await house.until(async () => (await reasonOf()) === 'LOCKS_STALE', 4_000);
    house.watch.silent = false;
    await house.until(async () => (await reasonOf()) === 'PERMITTED');
  });
  it('a replica that hears no stop orders yet says that it is not ready and denies', async () => {
    house.watch.silent = true;
    const starting = house.startEngine();
    await house.until(async () => (await reasonOf()) === 'LOCKS_STALE', 6_000);
    house.watch.silent = false;
    const ready = await starting;
    expect(await ready.readiness.failing()).toEqual([]);
    await ready.stop();
    await house.until(async () => (await reasonOf()) === 'PERMITTED');
  });
  it('a token that names a stop order which is not known here is denied', async () => {
    const ahead = { ...worker, token: house.token(worker, { claims: { min_seq: 1_000_000 } }) };
    expect((await house.pay(ahead, '1')).reasonCode).toBe('LOCKS_STALE');
  });
});

describe('a database that goes away', () => {
  it('lets nothing through meanwhile, and nothing is lost or counted twice', async () => {
    const one = await house.worker({ total: '1000' });
    const requestId = newRequestId();
    expect((await house.pay(one, '600', { requestId })).outcome).toBe(Outcome.OUTCOME_ALLOW);
    // The test's server writes behind: what was answered has to reach its log before it is killed.
    await delay(1_000);
    await house.world.postgres.crash();
    const asked = Array.from({ length: 5 }, () => refusedWith(house.pay(one, '1')));
    const reasons = (await Promise.all(asked)).map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(['RECORD_UNAVAILABLE']));
    expect((await house.pay(one, '9000')).reasonCode).toBe('MANDATE_AMOUNT');
    await house.world.postgres.startAgain();
    await house.until(async () => {
      const answer = await house.pay(one, '600', { requestId }).catch(() => undefined);
      return answer?.outcome === Outcome.OUTCOME_ALLOW;
    }, 30_000);
    expect((await house.pay(one, '401')).reasonCode).toBe('LIMIT_AMOUNT_TOTAL');
    expect((await house.pay(one, '400')).outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
  it('facts that came meanwhile are known afterwards', async () => {
    const personId = house.world.clock.newId('psn');
    const pos = await publish(
      house.registry,
      PersonRegistered,
      'PersonRegistered',
      { personId, roles: [] },
      personId,
    );
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'registry', pos }] });
    expect(answer.outcome).toBe(Outcome.OUTCOME_ALLOW);
  });
});
