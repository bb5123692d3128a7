import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Decision, DecisionClient } from '../src/index.js';
import { EngineHouse } from './engine-house.js';

let there: EngineHouse;
let client: DecisionClient;

beforeAll(async () => {
  there = await EngineHouse.build();
  client = await there.client();
}, 120_000);
afterAll(async () => {
  await there?.stop();
});
beforeEach(() => {
  there.methods();
});

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const times = (count: number) => Array.from({ length: count });
const outcomes = (decisions: readonly Decision[]) => decisions.map(({ outcome }) => outcome);

describe('questions', () => {
  it('that are asked in one turn of the event loop are one call, and each gets its own answer', async () => {
    const amounts = times(64).map((_, place) => (place % 2 === 0 ? '1' : '9999'));
    const decisions = await Promise.all(amounts.map((amount) => client.decide(there.question(amount))));
    expect(there.methods()).toEqual(['DecideBatch']);
    expect(decisions.map(({ reasonCode }) => reasonCode)).toEqual(
      amounts.map((amount) => (amount === '1' ? 'PERMITTED' : 'MANDATE_AMOUNT')),
    );
    expect(new Set(decisions.map(({ requestId }) => requestId)).size).toBe(64);
  });

  it('that are asked in different microtasks of one turn are one call', async () => {
    const later = async (hops: number) => {
      for (let hop = 0; hop < hops; hop += 1) await undefined;
      return client.decide(there.question());
    };
    await Promise.all([0, 1, 5, 20].map(later));
    expect(there.methods()).toEqual(['DecideBatch']);
  });

  it('of which there is one is a plain call', async () => {
    expect(await client.decide(there.question())).toMatchObject({
      answered: true,
      outcome: 'allow',
      recorded: true,
    });
    expect(there.methods()).toEqual(['Decide']);
  });

  it('are a hundred at most in a call, or what the client says', async () => {
    await Promise.all(times(205).map(() => client.decide(there.question())));
    expect(there.methods()).toEqual(['DecideBatch', 'DecideBatch', 'DecideBatch']);
    const narrow = await there.client({ maxBatch: 1 });
    expect(outcomes(await Promise.all(times(3).map(() => narrow.decide(there.question()))))).toEqual(
      times(3).map(() => 'allow'),
    );
    expect(there.methods()).toEqual(['Decide', 'Decide', 'Decide']);
  });

  it('that arrive while sixteen calls are under way gather in the next', async () => {
    there.wire.hold();
    const asked: Promise<Decision>[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      asked.push(client.decide(there.question()));
      await nextTurn();
    }
    there.wire.release();
    expect(new Set(outcomes(await Promise.all(asked)))).toEqual(new Set(['allow']));
    expect(there.methods().sort()).toEqual([...times(16).map(() => 'Decide'), 'DecideBatch']);
  });

  it('that weigh more than 1 MiB together are several calls', async () => {
    const attributes = Object.fromEntries(times(60).map((_, place) => [`note${place}`, 'n'.repeat(500)]));
    const heavy = there.question('1');
    const decisions = await Promise.all(
      times(40).map(() => client.decide({ ...heavy, action: { ...heavy.action, attributes } })),
    );
    expect(new Set(outcomes(decisions))).toEqual(new Set(['allow']));
    expect(there.methods()).toEqual(['DecideBatch', 'DecideBatch']);
  });

  it('that are not well formed reach no engine and throw', async () => {
    const action = { type: 'payment', name: 'pay', identifier: 'invoices/*' };
    const bad = client.decide(there.question('1', { action }));
    await expect(bad).rejects.toMatchObject({
      code: 'QUESTION_INVALID',
      fields: [{ field: 'action.identifier' }],
    });
    const heavy = client.decide(there.question('1', { token: 'x'.repeat(1024 * 1024) }));
    await expect(heavy).rejects.toMatchObject({ code: 'QUESTION_INVALID' });
    expect(there.methods()).toEqual([]);
  });
});

describe('a question among others', () => {
  it('whose token the engine does not take is denied by itself', async () => {
    const token = 'not.a.token';
    const decisions = await Promise.all([
      client.decide(there.question()),
      client.decide(there.question('1', { token })),
      client.decide(there.question()),
    ]);
    expect(outcomes(decisions)).toEqual(['allow', 'deny', 'allow']);
    expect(decisions[1]).toMatchObject({
      answered: false,
      reasonCode: 'QUESTION_REFUSED',
      recorded: false,
      cause: { status: 'UNAUTHENTICATED', reason: 'TOKEN_MALFORMED' },
    });
    expect(there.methods()).toEqual(['DecideBatch', 'Decide', 'Decide', 'Decide']);
  });

  it('under a request id of another question is denied as it is alone', async () => {
    const requestId = randomUUID();
    expect((await client.decide(there.question('1', { requestId }))).outcome).toBe('allow');
    const alone = await client.decide(there.question('2', { requestId }));
    const [among, other] = await Promise.all([
      client.decide(there.question('2', { requestId })),
      client.decide(there.question()),
    ]);
    for (const decision of [alone, among])
      expect(decision).toMatchObject({ outcome: 'deny', reasonCode: 'REQUEST_ID_REUSED' });
    expect(other?.outcome).toBe('allow');
  });

  it('that waits for facts does not keep the others waiting', async () => {
    const decided: string[] = [];
    const atLeast = [{ source: 'registry', pos: Number.MAX_SAFE_INTEGER }];
    const [waited] = await Promise.all([
      client.decide(there.question('1', { atLeast })).finally(() => decided.push('waited')),
      client.decide(there.question()).finally(() => decided.push('first')),
      client.decide(there.question()).finally(() => decided.push('second')),
    ]);
    expect(waited).toMatchObject({ answered: true, outcome: 'deny', reasonCode: 'FACTS_STALE' });
    expect(decided).toEqual(['first', 'second', 'waited']);
  });

  it('of an agent that asks for itself presents no certificate', async () => {
    const own = await there.client({ identityDir: await there.folderOf(there.worker.identity) });
    const { presentedCertificateSha256: _, ...question } = there.question();
    expect(await own.decide(question)).toMatchObject({ outcome: 'allow' });
  });
});
