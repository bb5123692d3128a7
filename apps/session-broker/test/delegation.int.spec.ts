import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { DelegateRequest } from '@writ/contracts/writ/session/v1/delegation.js';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import {
  assertionOf,
  claimsOf,
  detail,
  fieldsOf,
  House,
  inMinutes,
  type OpenedSession,
  reasonOf,
  type TestAgent,
  until,
} from './house.js';

let house: House;
let session: OpenedSession;
let delegate: TestAgent;
const limits = {
  amountTotal: { currencyCode: 'EUR', value: '20000' },
  amountEach: { currencyCode: 'EUR', value: '5000' },
  callsTotal: 100n,
};

beforeAll(async () => {
  house = await House.build();
  session = await house.session({ limits });
  delegate = await house.agent();
});
afterAll(() => house?.stop());

const delegated = (change: Partial<DelegateRequest>, from = session, to = delegate) =>
  reasonOf(house.delegate(from, to, change));

describe('a delegation', () => {
  it('lets the other agent work under the narrower part, with both agents in the token', async () => {
    const { delegationId, depth } = await house.delegate(session, delegate);
    expect(depth).toBe(1);
    const claims = claimsOf((await house.open(delegate, { delegationId })).token);
    expect(claims.act).toMatchObject({ sub: delegate.id, act: { sub: session.agent.id } });
    expect(claims.delegation_ids).toEqual([delegationId]);
    expect(claims.authorization_details[0].actions).toEqual(['read']);
    expect(claims.sub).toBe(house.ana.id);
  });

  it('that says nothing of limits hands on those of what it hangs below', async () => {
    const made = await house.delegate(session, delegate, { limits: undefined });
    expect(made.limits).toEqual(limits);
  });

  it('may have narrower limits, never wider ones or fewer', async () => {
    const narrower = { ...limits, callsTotal: 5n };
    expect((await house.delegate(session, delegate, { limits: narrower })).limits).toEqual(narrower);
    expect(await delegated({ limits: { ...limits, callsTotal: 101n } })).toBe('DELEGATION_WIDENS');
    expect(await delegated({ limits: { ...limits, amountTotal: undefined } })).toBe('DELEGATION_WIDENS');
  });

  it.each<[string, () => Partial<DelegateRequest>, string]>([
    [
      'with an action more',
      () => ({ authorizationDetails: [detail({ actions: ['read', 'approve'] })] }),
      'DELEGATION_WIDENS',
    ],
    [
      'to places beyond',
      () => ({ authorizationDetails: [detail({ identifier: 'invoices/*/../x' })] }),
      'AUTHORIZATION_DETAILS_INVALID',
    ],
    ['of another type', () => ({ authorizationDetails: [detail({ type: 'secrets' })] }), 'DELEGATION_WIDENS'],
    ['that outlives it', () => ({ expireTime: inMinutes(300) }), 'DELEGATION_WIDENS'],
    ['that is over already', () => ({ expireTime: inMinutes(-1) }), 'DELEGATION_EXPIRED'],
    ['that goes deeper', () => ({ maxDepth: 2 }), 'DELEGATION_TOO_DEEP'],
  ])('%s is refused', async (_, change, code) => expect(await delegated(change())).toBe(code));

  it('never goes deeper than the mandate allows, nor back to an agent above', async () => {
    const [second, third] = [await house.agent(), await house.agent()];
    const { delegationId } = await house.delegate(session, second, { maxDepth: 1 });
    const below = await house.open(second, { delegationId });
    expect(await delegated({}, below, session.agent)).toBe('DELEGATION_CYCLE');
    const last = await house.delegate(below, third);
    expect(last.depth).toBe(2);
    const deepest = await house.open(third, { delegationId: last.delegationId });
    expect(await delegated({}, deepest, delegate)).toBe('DELEGATION_TOO_DEEP');
  });

  it('needs an agent that is active', async () => {
    expect(await delegated({}, session, await house.agent({ attested: false }))).toBe('DELEGATE_NOT_ACTIVE');
  });

  it('is made with a token of one’s own only', async () => {
    const thief = house.delegations(delegate.identity);
    const stolen = thief.delegate(house.delegateRequest(session, await house.agent()));
    expect(await reasonOf(stolen)).toBe('TOKEN_BINDING_MISMATCH');
  });

  it('is refused with a token that was changed, or is none', async () => {
    const [head = '', body = '', signature = ''] = session.token.split('.');
    const claims = { ...claimsOf(session.token), sub: 'psn_01K41M7JG00000000000000BEN' };
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    expect(await delegated({}, { ...session, token: forged })).toBe('TOKEN_FORGED');
    expect(await delegated({}, { ...session, token: `${head}.${body}` })).toBe('TOKEN_MALFORMED');
    const assertion = assertionOf(session.agent);
    expect(await delegated({}, { ...session, token: assertion })).toBe('TOKEN_MALFORMED');
    expect(await fieldsOf(house.delegate({ ...session, token: '' }, delegate))).toEqual(['token']);
  });

  it('is made once for a request that is sent twice', async () => {
    const request = { ...house.delegateRequest(session, delegate), requestId: randomUUID() };
    const delegations = house.delegations(session.agent.identity);
    const [one, two] = [await delegations.delegate(request), await delegations.delegate(request)];
    expect(two).toEqual(one);
  });

  it('is in sight of its two agents and of the person at its root', async () => {
    const { delegationId } = await house.delegate(session, delegate);
    const ben = await house.person([Role.ROLE_SPONSOR]);
    const outsider = await house.agent();
    const list = { pageSize: 200, pageToken: '', mandateId: '', agentId: '' };
    for (const by of [session.agent, delegate, house.ana]) {
      expect((await house.delegations(by.identity).getDelegation({ delegationId })).delegationId).toBe(
        delegationId,
      );
      const { delegations } = await house.delegations(by.identity).listDelegations(list);
      expect(delegations.map((one) => one.delegationId)).toContain(delegationId);
    }
    for (const by of [ben, outsider]) {
      const get = house.delegations(by.identity).getDelegation({ delegationId });
      expect(await reasonOf(get)).toBe('DELEGATION_UNKNOWN');
      expect((await house.delegations(by.identity).listDelegations(list)).delegations).toEqual([]);
    }
  });
});

describe('authority that is withdrawn', () => {
  const revokedCause = SessionEndCause.SESSION_END_CAUSE_AUTHORITY_REVOKED;

  it('ends every session below a mandate, at any depth', async () => {
    const root = await house.session();
    const [second, third] = [await house.agent(), await house.agent()];
    const one = await house.delegate(root, second, { maxDepth: 1 });
    const middle = await house.open(second, { delegationId: one.delegationId });
    const two = await house.delegate(middle, third);
    const leaf = await house.open(third, { delegationId: two.delegationId });
    const { mandateId } = root.session;
    const revoke = { mandateId, reason: 'the run is over', etag: '', requestId: '' };
    await house.mandates(house.ana.identity).revokeMandate(revoke);
    for (const { sessionId } of [root, middle, leaf])
      await until(async () => (await house.endCause(sessionId)) === revokedCause, `the end of ${sessionId}`);
    expect(await reasonOf(house.open(third, { delegationId: two.delegationId }))).toBe('AUTHORITY_ENDED');
    expect(await delegated({}, root)).toBe('AUTHORITY_ENDED');
  });

  it('from a hop in the middle leaves what is above it', async () => {
    const root = await house.session();
    const second = await house.agent();
    const { delegationId } = await house.delegate(root, second);
    const below = await house.open(second, { delegationId });
    const revoke = { delegationId, reason: 'done', etag: '', requestId: '' };
    const byDelegate = house.delegations(second.identity).revokeDelegation(revoke);
    expect(await reasonOf(byDelegate)).toBe('NOT_THE_DELEGATOR');
    await house.delegations(root.agent.identity).revokeDelegation(revoke);
    await until(async () => (await house.endCause(below.sessionId)) === revokedCause, 'the end below');
    expect(await house.endCause(root.sessionId)).toBe(0);
  });

  it('is withdrawn by who granted it, or by security', async () => {
    const { mandateId } = (await house.session()).session;
    const ben = await house.person([Role.ROLE_SPONSOR]);
    const revoke = { mandateId, reason: 'x', etag: '', requestId: '' };
    expect(await reasonOf(house.mandates(ben.identity).revokeMandate(revoke))).toBe('NOT_THE_GRANTOR');
    const stale = house.mandates(house.admin.identity).revokeMandate({ ...revoke, etag: '7' });
    expect(await reasonOf(stale)).toBe('ETAG_STALE');
    await house.mandates(house.admin.identity).revokeMandate(revoke);
  });
});
