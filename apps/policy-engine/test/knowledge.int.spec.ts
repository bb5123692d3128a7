import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentTrustScored } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEndCause, SessionEnded, TokenIssued } from '@writ/contracts/writ/session/v1/session_facts.js';
import { KnowledgeStore } from '../src/decision/knowledge.store.js';
import type { Worker } from './asking.js';
import { House } from './house.js';
import { publish } from './neighbours.js';

let house: House;
let worker: Worker;

beforeAll(async () => {
  house = await House.build();
});
afterAll(async () => {
  await house?.stop();
});

const stored = async (subject: string) => {
  const rows = await house.sql<{ type: string; kept: boolean }>(
    `select type, forget_at is null as kept from policy_engine_view.known where subject = '${subject}' order by seq`,
  );
  return rows.map(({ type, kept }) => `${type}${kept ? '' : ' until later'}`);
};
const endSession = () =>
  publish(
    house.broker,
    SessionEnded,
    'SessionEnded',
    { sessionId: worker.sessionId, agentId: worker.agentId, cause: SessionEndCause.SESSION_END_CAUSE_ENDED },
    worker.agentId,
  );

describe('the stored copy of facts', () => {
  it('keeps one trust score of an agent, the newest', async () => {
    worker = await house.worker();
    const data = { agentId: worker.agentId, score: 60, functionVersion: 1, points: [] };
    const pos = await publish(house.registry, AgentTrustScored, 'AgentTrustScored', data, worker.agentId);
    await house.pay(worker, '1', { atLeast: [{ source: 'registry', pos }] });
    expect(await stored(`agent:${worker.agentId}`)).toEqual([
      'AgentRegistered',
      'AgentAttested',
      'AgentTrustScored',
    ]);
  });
  it('counts facts that decisions do not depend on, and keeps nothing of them', async () => {
    const data = TokenIssued.fromPartial({
      tokenId: house.world.clock.newId('tok'),
      sessionId: worker.sessionId,
    });
    const pos = await publish(house.broker, TokenIssued, 'TokenIssued', data, worker.agentId);
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'session-broker', pos }] });
    expect(answer.reasonCode).toBe('PERMITTED');
    const rows = await house.sql(`select from policy_engine_view.known where type = 'TokenIssued'`);
    expect(rows).toHaveLength(0);
  });
  it('of a session and a mandate lasts no longer than they do', async () => {
    expect(await stored(`session:${worker.sessionId}`)).toEqual(['SessionOpened until later']);
    const data = { mandateId: worker.mandateId, reason: 'a drill' };
    const pos = await publish(house.broker, MandateRevoked, 'MandateRevoked', data, worker.agentId);
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'session-broker', pos }] });
    expect(answer.reasonCode).toBe('MANDATE_REVOKED');
    expect(await stored(`hop:${worker.mandateId}`)).toEqual([
      'MandateGranted until later',
      'MandateRevoked until later',
    ]);
  });
  it('of a session that has ended is deleted after ten minutes, and the session stays denied', async () => {
    worker = await house.worker();
    const pos = await endSession();
    const answer = await house.pay(worker, '1', { atLeast: [{ source: 'session-broker', pos }] });
    expect(answer.reasonCode).toBe('SESSION_ENDED');
    const minutesLater = (minutes: number) => new Date(house.world.clock.now().getTime() + minutes * 60_000);
    const store = house.engine.app.get(KnowledgeStore);
    await store.forget(minutesLater(9));
    expect(await stored(`session:${worker.sessionId}`)).toHaveLength(2);
    await store.forget(minutesLater(11));
    expect(await stored(`session:${worker.sessionId}`)).toEqual([]);
    await house.engine.stop();
    house.engine = await house.startEngine();
    expect((await house.pay(worker, '1')).reasonCode).toBe('SESSION_UNKNOWN');
  });
  it('still brings new facts after old ones were deleted', async () => {
    worker = await house.worker();
    expect((await house.pay(worker, '1')).reasonCode).toBe('PERMITTED');
  });
});
