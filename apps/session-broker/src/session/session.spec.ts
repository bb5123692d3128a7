import { describe, it } from '@jest/globals';
import { SessionEndCause, type SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import type { HeldDelegation, HeldMandate, Hops } from './chain.js';
import { type SessionCommand, type SessionEvent, type Standing, sessionDecider } from './session.js';

const at = new Date('2026-09-01T08:00:00Z');
const inHours = (hours: number) => new Date(at.getTime() + hours * 3_600_000);
const mandate: HeldMandate = {
  granted: {
    mandateId: 'mdt_1',
    personId: 'psn_ana',
    agentId: 'agt_invoice',
    purpose: 'supplier run',
    authorizationDetails: [],
    limits: undefined,
    expireTime: inHours(4),
    maxDepth: 1,
  },
  revoked: false,
};
const delegation: HeldDelegation = {
  made: {
    delegationId: 'dlg_1',
    mandateId: 'mdt_1',
    parentDelegationId: '',
    depth: 1,
    delegatorAgentId: 'agt_invoice',
    delegateAgentId: 'agt_fx',
    sessionId: 'ses_0',
    purpose: 'supplier run',
    authorizationDetails: [],
    limits: undefined,
    expireTime: inHours(1),
    maxDepth: 0,
  },
  revoked: false,
};
const hops: Hops = { mandate, delegations: [] };
const standing: Standing = { hops, personActive: true, inactiveAgentIds: [], lockId: '' };
const ids = { sessionId: 'ses_1', tokenId: 'tok_1', keyId: 'k1', certificateSha256: 'x' };
const open = (change: Partial<Standing> = {}, agentId = 'agt_invoice'): SessionCommand => ({
  type: 'OpenSession',
  ...ids,
  agentId,
  task: 'pay',
  standing: { ...standing, ...change },
  at,
});
const session: SessionOpened = {
  sessionId: 'ses_1',
  agentId: 'agt_invoice',
  mandateId: 'mdt_1',
  delegationIds: [],
  personId: 'psn_ana',
  task: 'pay',
  purpose: 'supplier run',
  expireTime: inHours(4),
  certificateSha256: 'x',
};
const opened: SessionEvent = { type: 'SessionOpened', data: session };
const issued = (agentId: string, minutes: number): SessionEvent => ({
  type: 'TokenIssued',
  data: { ...ids, agentId, expireTime: inHours(minutes / 60) },
});
const issue = (when: Date, agentId = 'agt_invoice', change: Partial<Standing> = {}): SessionCommand => ({
  type: 'IssueToken',
  ...ids,
  agentId,
  standing: { ...standing, ...change },
  at: when,
});
const cause = SessionEndCause.SESSION_END_CAUSE_LOCKED;
const end: SessionCommand = { type: 'EndSession', sessionId: 'ses_1', cause };
const ended: SessionEvent = {
  type: 'SessionEnded',
  data: { sessionId: 'ses_1', agentId: 'agt_invoice', cause },
};
const given = givenFor(sessionDecider);

describe('a session', () => {
  it('is opened under a mandate, with a token of five minutes', () =>
    given().when(open()).then(opened, issued('agt_invoice', 5)));
  it('under a delegation ends with the delegation', () =>
    given()
      .when(open({ hops: { mandate, delegations: [delegation] } }, 'agt_fx'))
      .then(
        {
          type: 'SessionOpened',
          data: { ...session, agentId: 'agt_fx', delegationIds: ['dlg_1'], expireTime: inHours(1) },
        },
        issued('agt_fx', 5),
      ));
  it('never lasts longer than eight hours', () => {
    const long = { ...mandate, granted: { ...mandate.granted, expireTime: inHours(100) } };
    given()
      .when(open({ hops: { mandate: long, delegations: [] } }))
      .then(
        { type: 'SessionOpened', data: { ...session, expireTime: inHours(8) } },
        issued('agt_invoice', 5),
      );
  });
  it('is not opened under something unknown', () =>
    given()
      .when(open({ hops: undefined }))
      .thenRefused('AUTHORITY_UNKNOWN'));
  it('is not opened under what was given to another agent', () =>
    given().when(open({}, 'agt_fx')).thenRefused('NOT_THE_HOLDER'));
  it.each([
    ['a revoked mandate', { mandate: { ...mandate, revoked: true }, delegations: [] }, 'agt_invoice'],
    [
      'an expired mandate',
      { mandate: { ...mandate, granted: { ...mandate.granted, expireTime: at } }, delegations: [] },
      'agt_invoice',
    ],
    ['a revoked delegation', { mandate, delegations: [{ ...delegation, revoked: true }] }, 'agt_fx'],
    [
      'a delegation of a revoked mandate',
      { mandate: { ...mandate, revoked: true }, delegations: [delegation] },
      'agt_fx',
    ],
    [
      'a delegation of another mandate',
      { mandate, delegations: [{ ...delegation, made: { ...delegation.made, mandateId: 'mdt_2' } }] },
      'agt_fx',
    ],
  ])('is not opened under %s', (_, chain, agentId) =>
    given()
      .when(open({ hops: chain }, agentId))
      .thenRefused('AUTHORITY_ENDED'),
  );
  it('is not opened while anybody in the chain is locked', () =>
    given()
      .when(open({ lockId: 'lck_1' }))
      .thenRefused('LOCKED'));
  it('is not opened while an agent of the chain may not act', () =>
    given()
      .when(open({ inactiveAgentIds: ['agt_invoice'] }))
      .thenRefused('AGENT_NOT_ACTIVE'));
  it('is not opened after the person at the root has left', () =>
    given()
      .when(open({ personActive: false }))
      .thenRefused('PERSON_NOT_ACTIVE'));

  it('gives a fresh token while it lives', () =>
    given(opened).when(issue(at)).then(issued('agt_invoice', 5)));
  it('gives no token that outlives it', () =>
    given(opened)
      .when(issue(inHours(3.95)))
      .then(issued('agt_invoice', 240)));
  it('gives no token to another agent', () =>
    given(opened).when(issue(at, 'agt_fx')).thenRefused('NOT_YOUR_SESSION'));
  it('gives no token once it has expired', () =>
    given(opened)
      .when(issue(inHours(4)))
      .thenRefused('SESSION_EXPIRED'));
  it('gives a token of one second, the last', () =>
    given(opened)
      .when(issue(new Date(inHours(4).getTime() - 999)))
      .then(issued('agt_invoice', 240)));
  it('gives no token in the second in which it ends', () => {
    const short = { ...session, expireTime: new Date(inHours(3).getTime() + 500) };
    given({ type: 'SessionOpened', data: short })
      .when(issue(new Date(inHours(3).getTime() + 100)))
      .thenRefused('SESSION_EXPIRED');
  });
  it('is not opened in the second in which its authority ends', () => {
    const ending = { ...mandate, granted: { ...mandate.granted, expireTime: new Date(at.getTime() + 900) } };
    given()
      .when(open({ hops: { mandate: ending, delegations: [] } }))
      .thenRefused('SESSION_EXPIRED');
  });
  it.each([
    [
      'its mandate is revoked',
      { hops: { mandate: { ...mandate, revoked: true }, delegations: [] } },
      'AUTHORITY_ENDED',
    ],
    ['a lock is in force on it', { lockId: 'lck_1' }, 'LOCKED'],
    ['its agent may not act', { inactiveAgentIds: ['agt_invoice'] }, 'AGENT_NOT_ACTIVE'],
    ['its person has left', { personActive: false }, 'PERSON_NOT_ACTIVE'],
  ])('gives no token once %s', (_, change, code) =>
    given(opened)
      .when(issue(at, 'agt_invoice', change))
      .thenRefused(code),
  );
  it('gives no token once it has ended', () =>
    given(opened, ended).when(issue(at)).thenRefused('SESSION_ENDED'));
  it('ends once', () => {
    given(opened).when(end).then(ended);
    given(opened, ended).when(end).thenNothing();
  });
  it('that was never opened cannot end', () => given().when(end).thenRefused('SESSION_UNKNOWN'));
});
