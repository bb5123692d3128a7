import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { serviceSpiffeId } from '@writ/service';
import type { DecideWish, Decision, DecisionClient } from '../src/index.js';
import { EngineHouse, TRUST_DOMAIN } from './engine-house.js';

let there: EngineHouse;
let client: DecisionClient;

beforeAll(async () => {
  there = await EngineHouse.build();
  client = await there.client();
}, 120_000);
afterAll(async () => {
  await there?.stop();
});
beforeEach(async () => {
  // A connection stands before anything is kept back on it.
  expect((await client.decide(there.question())).outcome).toBe('allow');
  there.methods();
});

afterEach(() => there.wire.release());

const ask = (wish?: DecideWish, by = client) => by.decide(there.question(), wish);
const codes = (decisions: readonly Decision[]) => decisions.map(({ reasonCode }) => reasonCode);

/** A client with a connection of its own. */
async function connected(wish: Parameters<EngineHouse['client']>[0]): Promise<DecisionClient> {
  const own = await there.client(wish);
  expect((await own.decide(there.question())).outcome).toBe('allow');
  return own;
}

/** Asks, and resolves when the engine has recorded it and its answer is kept back. */
async function heldBack(asked: () => Promise<Decision>): Promise<{ decision: Promise<Decision> }> {
  const before = await there.recorded();
  there.wire.hold();
  const decision = asked();
  await there.house.until(async () => (await there.recorded()) > before);
  return { decision };
}

describe('an engine that goes away', () => {
  it('is a deny until it is back, for the same client', async () => {
    await there.house.engine.stop();
    const denied = await ask({ deadlineMs: 2_000 });
    expect(denied).toMatchObject({
      answered: false,
      outcome: 'deny',
      reasonCode: 'ENGINE_UNREACHABLE',
      recorded: false,
      cause: { status: 'UNAVAILABLE' },
    });
    await there.startEngine();
    await there.house.until(async () => (await ask({ deadlineMs: 2_000 })).outcome === 'allow');
  });

  it('after it has recorded the answer is asked again under the same request id, and limits count once', async () => {
    const worker = await there.house.worker({ calls: 1n });
    const question = there.question('1', {}, worker);
    const { decision } = await heldBack(() => client.decide(question));
    there.methods();
    there.wire.cut();
    expect(await decision).toMatchObject({ answered: true, outcome: 'allow', recorded: true });
    expect(there.methods()).toEqual(['Decide']);
    expect((await client.decide(question)).reasonCode).toBe('LIMIT_CALLS_TOTAL');
  });

  it('with a whole batch is asked again as a batch', async () => {
    const { decision } = await heldBack(async () => {
      const decisions = await Promise.all(Array.from({ length: 20 }, () => ask()));
      expect(new Set(codes(decisions))).toEqual(new Set(['PERMITTED']));
      return decisions[0] as Decision;
    });
    there.methods();
    there.wire.cut();
    await decision;
    // The wire may be cut before or after the engine has read the first one.
    const methods = there.methods();
    expect(methods.length).toBeGreaterThanOrEqual(1);
    expect(new Set(methods)).toEqual(new Set(['DecideBatch']));
  });
});

describe('a server', () => {
  it('that does not prove to be the engine is asked nothing', async () => {
    const registry = serviceSpiffeId(TRUST_DOMAIN, 'registry');
    const other = await there.client({ serverSpiffeId: registry });
    const denied = await ask({ deadlineMs: 2_000 }, other);
    expect(denied).toMatchObject({ answered: false, outcome: 'deny', reasonCode: 'ENGINE_UNREACHABLE' });
    if (!denied.answered) expect(denied.cause.message).toContain(`the server is not \`${registry}\``);
    expect(there.methods()).toEqual([]);
  });

  it('that does not let the client ask is asked once and not again, also in a batch', async () => {
    const person = await there.client({ identityDir: await there.folderOf(there.house.admin) });
    const denied = await Promise.all([ask({}, person), ask({}, person)]);
    for (const decision of denied)
      expect(decision).toMatchObject({
        reasonCode: 'CALLER_REFUSED',
        cause: { status: 'PERMISSION_DENIED', reason: 'CALLER_NOT_ALLOWED' },
      });
    expect(there.methods()).toEqual(['DecideBatch']);
  });
});

describe('an answer that does not come', () => {
  it('is a deny at the deadline, of each question by itself', async () => {
    const own = await connected({});
    there.methods();
    there.wire.hold();
    const [hasty, patient] = [ask({ deadlineMs: 300 }, own), ask({}, own)];
    expect(await hasty).toMatchObject({ answered: false, reasonCode: 'DEADLINE_EXCEEDED', recorded: false });
    there.wire.release();
    expect((await patient).outcome).toBe('allow');
    expect(there.methods()).toEqual(['DecideBatch']);
  });

  it('is a deny when the caller no longer waits', async () => {
    const controller = new AbortController();
    const own = await connected({});
    const asked = [ask({ signal: controller.signal }, own), ask({}, own)] as const;
    controller.abort();
    expect(codes(await Promise.all(asked))).toEqual(['ABORTED', 'PERMITTED']);
    there.methods();
    expect((await ask({ signal: AbortSignal.abort() }, own)).reasonCode).toBe('ABORTED');
    expect(there.methods()).toEqual([]);
    const late = new AbortController();
    const { decision } = await heldBack(() => ask({ signal: late.signal }, own));
    late.abort();
    expect((await decision).reasonCode).toBe('ABORTED');
  });

  it('keeps at most so many questions waiting; one more is denied at once and not sent', async () => {
    const small = await connected({ inFlightMax: 2 });
    there.wire.hold();
    const waiting = [ask({}, small), ask({}, small)];
    expect(await ask({}, small)).toMatchObject({ answered: false, reasonCode: 'CLIENT_OVERLOADED' });
    there.wire.release();
    expect(codes(await Promise.all(waiting))).toEqual(['PERMITTED', 'PERMITTED']);
    expect((await ask({}, small)).outcome).toBe('allow');
  });
});

describe('a client that is closed', () => {
  it('gives the answers that are under way, and takes no more questions', async () => {
    const own = await connected({});
    const { decision } = await heldBack(() => ask({}, own));
    const closed = own.close();
    expect((await ask({}, own)).reasonCode).toBe('CLIENT_CLOSED');
    there.wire.release();
    expect((await decision).outcome).toBe('allow');
    await closed;
    expect(own.close()).toBe(closed);
  });

  it('denies what has no answer within the time it was given', async () => {
    const own = await connected({});
    const { decision } = await heldBack(() => ask({}, own));
    await own.close(50);
    expect(await decision).toMatchObject({ answered: false, reasonCode: 'CLIENT_CLOSED', recorded: false });
  });
});

describe('what a deny says for the log', () => {
  it('holds no token', async () => {
    const { token } = there.question();
    const [header, payload] = token.split('.');
    const cases = [
      await client.decide(there.question('1', { token: `${header}.${payload}.AAAA` })),
      await client.decide(there.question('1', { presentedCertificateSha256: 'A'.repeat(43) })),
      await ask({ signal: AbortSignal.abort() }),
    ];
    expect(codes(cases)).toEqual(['QUESTION_REFUSED', 'QUESTION_REFUSED', 'ABORTED']);
    expect(JSON.stringify(cases)).not.toContain(payload);
  });
});
