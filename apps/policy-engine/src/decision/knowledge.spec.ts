import { describe, expect, it } from '@jest/globals';
import { ApprovalGranted } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { AgentRegistered } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { SessionEnded, SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { knownEventOf } from './knowledge.facts.js';
import { Knowledge } from './knowledge.js';
import type { KnownEvent } from './known-event.js';
import { endedMsKept, retentionOf } from './retention.js';

const at = new Date('2026-09-01T09:00:00Z');
const expireTime = new Date('2026-09-01T10:00:00Z');
const minutes = (count: number) => new Date(at.getTime() + count * 60_000);
const details = [{ type: 'payment', actions: ['pay'] }];

const granted: KnownEvent = {
  type: 'MandateGranted',
  data: MandateGranted.fromPartial({ mandateId: 'mdt_1', authorizationDetails: details, expireTime }),
};
const delegated: KnownEvent = {
  type: 'DelegationMade',
  data: DelegationMade.fromPartial({
    delegationId: 'dlg_1',
    mandateId: 'mdt_1',
    authorizationDetails: details,
    expireTime,
  }),
};
const opened: KnownEvent = {
  type: 'SessionOpened',
  data: SessionOpened.fromPartial({ sessionId: 'ses_1', agentId: 'agt_1', expireTime }),
};
const ended: KnownEvent = { type: 'SessionEnded', data: SessionEnded.fromPartial({ sessionId: 'ses_1' }) };
const approved: KnownEvent = {
  type: 'ApprovalGranted',
  data: ApprovalGranted.fromPartial({ approvalId: 'apr_1', expireTime }),
};
const registered: KnownEvent = {
  type: 'AgentRegistered',
  data: AgentRegistered.fromPartial({ agentId: 'agt_1' }),
};

function known(...events: readonly KnownEvent[]): Knowledge {
  const knowledge = new Knowledge();
  for (const event of events) knowledge.apply(event, at);
  return knowledge;
}

describe('knowledge', () => {
  it('of an agent begins with no attestation and no trust', () =>
    expect(known(registered).agent('agt_1')).toMatchObject({ attested: false, trustScore: 0 }));
  it('of somebody nobody registered is nothing, whatever is said of them', () => {
    const knowledge = known({
      type: 'AgentTrustScored',
      data: { agentId: 'agt_2', score: 100, functionVersion: 1, points: [] },
    });
    expect(knowledge.agent('agt_2')).toBeUndefined();
  });
  it('a revocation holds even when it is heard of before the grant', () => {
    const revoked: KnownEvent = { type: 'MandateRevoked', data: { mandateId: 'mdt_1', reason: '' } };
    expect(known(revoked, granted).hop('mdt_1')).toMatchObject({ revoked: true, kind: 'mandate' });
  });
  it('a grant without an expiry has expired', () => {
    const endless = MandateGranted.fromPartial({ mandateId: 'mdt_1', authorizationDetails: details });
    expect(known({ type: 'MandateGranted', data: endless }).hop('mdt_1')?.grant.expiresAt).toEqual(
      new Date(0),
    );
  });
  it('a delegation directly below a mandate hangs below it', () =>
    expect(known(granted, delegated).hop('dlg_1')).toMatchObject({ kind: 'delegation', parentId: 'mdt_1' }));
  it('of an approval that was denied is nothing', () => {
    const denied: KnownEvent = {
      type: 'ApprovalDenied',
      data: { approvalId: 'apr_1', personId: 'psn_1', reason: '' },
    };
    expect(known(approved, denied).approval('apr_1')).toBeUndefined();
  });
  it('refuses authority that cannot be understood, so that it is set aside', () => {
    const data = MandateGranted.fromPartial({
      mandateId: 'mdt_1',
      authorizationDetails: [{ type: 'NOT A TYPE' }],
    });
    expect(() => known({ type: 'MandateGranted', data })).toThrow('authorization details are not valid');
  });
});

describe('forgetting', () => {
  it('keeps what lives', () => {
    const knowledge = known(registered, granted, delegated, opened, approved);
    knowledge.prune(minutes(59));
    expect(knowledge.size).toBe(5);
  });
  it('keeps for ten minutes what has ended, so that a deny can say so', () => {
    const knowledge = known(opened, ended);
    knowledge.prune(minutes(9));
    expect(knowledge.session('ses_1')?.ended).toBe(true);
    knowledge.prune(minutes(10));
    expect(knowledge.session('ses_1')).toBeUndefined();
  });
  it('drops sessions, grants and approvals some time after they expired', () => {
    const knowledge = known(registered, granted, delegated, opened, approved);
    knowledge.prune(minutes(70));
    expect([knowledge.size, knowledge.agent('agt_1')?.id]).toEqual([1, 'agt_1']);
  });
  it('of a thousand sessions that came and went nothing stays', () => {
    const knowledge = new Knowledge();
    for (let count = 0; count < 1_000; count += 1) {
      const data = SessionOpened.fromPartial({ sessionId: `ses_${count}`, expireTime });
      knowledge.apply({ type: 'SessionOpened', data }, at);
    }
    knowledge.prune(new Date(expireTime.getTime() + endedMsKept));
    expect(knowledge.size).toBe(0);
  });
});

describe('the stored copy', () => {
  it('keeps a session until some time after its expiry, and its end no longer than that', () => {
    expect(retentionOf(opened)).toMatchObject({ subject: 'session:ses_1', endsAt: expireTime, ends: false });
    expect(retentionOf(ended)).toMatchObject({ subject: 'session:ses_1', ends: true });
  });
  it('keeps one trust score of an agent', () => {
    const scored: KnownEvent = {
      type: 'AgentTrustScored',
      data: { agentId: 'agt_1', score: 1, functionVersion: 1, points: [] },
    };
    expect(retentionOf(scored)).toMatchObject({ subject: 'agent:agt_1', newestOnly: true, ends: false });
  });
  it('does not know facts that decisions do not depend on, nor those of services that do not own them', () => {
    const data = AgentRegistered.encode(AgentRegistered.fromPartial({ agentId: 'agt_1' })).finish();
    expect(knownEventOf({ source: 'registry', type: 'AgentKeyRotated', data })).toBeUndefined();
    expect(knownEventOf({ source: 'approvals', type: 'AgentRegistered', data })).toBeUndefined();
    expect(knownEventOf({ source: 'registry', type: 'AgentRegistered', data })?.type).toBe('AgentRegistered');
    expect(knownEventOf({ source: 'registry', type: 'toString', data })).toBeUndefined();
  });
});
