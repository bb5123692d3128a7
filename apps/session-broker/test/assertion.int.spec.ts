import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AUDIENCE, assertionOf, House, ISSUER, reasonOf, type TestAgent } from './house.js';

let house: House;
let agent: TestAgent;
let mandateId: string;

beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  ({ mandateId } = await house.mandate(agent));
});
afterAll(() => house?.stop());

const open = (assertion: string, by = agent) =>
  house.sessions(by.identity).openSession(house.openRequest(by, { mandateId, assertion }));
const seconds = () => Math.floor(Date.now() / 1000);

describe('an assertion', () => {
  it.each<[string, () => string, string]>([
    ['that is no JWT', () => 'not.a.jwt', 'ASSERTION_INVALID'],
    ['that is longer than any', () => 'x'.repeat(4_097), 'INVALID_ARGUMENT'],
    [
      'signed with another key',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return assertionOf({ ...agent, signingKey: privateKey });
      },
      'ASSERTION_INVALID',
    ],
    ['that says it is not signed', () => assertionOf(agent, {}, { alg: 'none' }), 'ASSERTION_INVALID'],
    ['of another subject', () => assertionOf(agent, { sub: house.ana.id }), 'ASSERTION_INVALID'],
    [
      'that has expired a second ago',
      () => assertionOf(agent, { iat: seconds() - 20, exp: seconds() - 1 }),
      'ASSERTION_EXPIRED',
    ],
    [
      'that lives longer than a minute',
      () => assertionOf(agent, { exp: seconds() + 63 }),
      'ASSERTION_INVALID',
    ],
    [
      'that lives longer than a minute, dated ahead',
      () => assertionOf(agent, { iat: seconds() + 9, exp: seconds() + 69 }),
      'ASSERTION_INVALID',
    ],
    ['issued in the future', () => assertionOf(agent, { iat: seconds() + 15 }), 'ASSERTION_INVALID'],
    ['for another audience', () => assertionOf(agent, { aud: AUDIENCE }), 'ASSERTION_WRONG_AUDIENCE'],
    [
      'for us and somebody else',
      () => assertionOf(agent, { aud: [ISSUER, 'https://else.test'] }),
      'ASSERTION_WRONG_AUDIENCE',
    ],
    ['for nobody', () => assertionOf(agent, { aud: [] }), 'ASSERTION_WRONG_AUDIENCE'],
    ['without an id', () => assertionOf(agent, { jti: undefined }), 'ASSERTION_INVALID'],
    [
      'with an id that no database keeps',
      () => assertionOf(agent, { jti: '\0'.repeat(9) }),
      'ASSERTION_INVALID',
    ],
  ])('%s is refused', async (_, assertion, code) => expect(await reasonOf(open(assertion()))).toBe(code));

  it('for us alone may say so in a list, and may come from a clock that is a little ahead', async () => {
    await open(assertionOf(agent, { aud: [ISSUER] }));
    await open(assertionOf(agent, { iat: seconds() + 5 }));
  });

  it('of another agent is refused, even from an agent that is known', async () => {
    const other = await house.agent();
    const stolen = house.openRequest(other, { mandateId, assertion: assertionOf(agent) });
    expect(await reasonOf(house.sessions(other.identity).openSession(stolen))).toBe('ASSERTION_INVALID');
  });

  it('works once, whatever it is used for', async () => {
    const assertion = assertionOf(agent);
    const { session } = await open(assertion);
    expect(await reasonOf(open(assertion))).toBe('ASSERTION_REPLAYED');
    const again = { assertion, sessionId: session?.sessionId ?? '', requestId: '' };
    expect(await reasonOf(house.sessions(agent.identity).issueToken(again))).toBe('ASSERTION_REPLAYED');
  });

  it('works once also when it is sent many times at the same moment', async () => {
    const assertion = assertionOf(agent);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => reasonOf(open(assertion))));
    expect(outcomes.filter((outcome) => outcome === 'not refused').length).toBeLessThanOrEqual(1);
    expect(outcomes.filter((outcome) => outcome === 'ASSERTION_REPLAYED')).toHaveLength(7);
  });

  it('of an agent that nobody registered is refused', async () => {
    const id = 'agt_01K41M7JG0000000000000N0NE';
    const stranger = { ...agent, id, identity: await house.world.identity({ kind: 'agent', id }) };
    expect(await reasonOf(house.open(stranger, { mandateId }))).toBe('ASSERTION_AGENT_UNKNOWN');
  });
});
