import { describe, expect, it } from '@jest/globals';
import { type ApprovalRequested, WithdrawCause } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import {
  type ApprovalCommand,
  type ApprovalEvent,
  approvalDecider,
  type Ballot,
  statementOf,
} from './approval.js';

const approvalId = 'apr_01JDKF0000000000000000000A';
const expireTime = new Date('2026-09-01T11:00:00Z');
const at = new Date('2026-09-01T10:00:00Z');
const request: ApprovalRequested = {
  approvalId,
  decisionId: 'dec_1',
  sessionId: 'ses_1',
  agentId: 'agt_1',
  personId: 'psn_ana',
  sponsorId: 'psn_sam',
  mandateId: 'mdt_1',
  action: {
    type: 'payment',
    name: 'pay',
    location: 'erp',
    identifier: 'invoices/C',
    datatypes: [],
    amount: { currencyCode: 'EUR', value: '4000' },
    attributes: [],
  },
  actionDigest: 'sha-256:d',
  purpose: 'September supplier run',
  task: 'pay C',
  policySetId: 'pol_1',
  policySetVersion: 1,
  quorum: 1,
  expireTime,
};
const requested: ApprovalEvent = { type: 'ApprovalRequested', data: request };
const requestedByTwo: ApprovalEvent = { type: 'ApprovalRequested', data: { ...request, quorum: 2 } };
const ballot = (personId: string, approve = true): Ballot => ({
  personId,
  approve,
  reason: '',
  keyId: 'k',
  signature: 's',
});
const vote = (personId: string, approve = true, when = at): ApprovalCommand => ({
  type: 'Vote',
  approvalId,
  at: when,
  ballot: ballot(personId, approve),
});
const voted = (personId: string, approve = true): ApprovalEvent => ({
  type: 'ApprovalVoted',
  data: { approvalId, ...ballot(personId, approve) },
});
const granted = (...approverIds: string[]): ApprovalEvent => ({
  type: 'ApprovalGranted',
  data: {
    approvalId,
    decisionId: 'dec_1',
    sessionId: 'ses_1',
    actionDigest: 'sha-256:d',
    policySetId: 'pol_1',
    expireTime,
    approverIds,
  },
});
const denied: ApprovalEvent = {
  type: 'ApprovalDenied',
  data: { approvalId, personId: 'psn_ben', reason: '' },
};
const cause = WithdrawCause.WITHDRAW_CAUSE_LOCKED;
const withdrawn: ApprovalEvent = { type: 'ApprovalWithdrawn', data: { approvalId, cause } };
const used: ApprovalEvent = { type: 'ApprovalUsed', data: { approvalId, decisionId: 'dec_2' } };

const given = givenFor(approvalDecider);

describe('an approval', () => {
  it('is requested once, however often the decision arrives', () => {
    given().when({ type: 'RequestApproval', request }).then(requested);
    given(requested).when({ type: 'RequestApproval', request }).thenNothing();
  });
  it('is granted by one approver where one is enough', () =>
    given(requested).when(vote('psn_ben')).then(voted('psn_ben'), granted('psn_ben')));
  it('waits for the second approver where two are needed', () => {
    given(requestedByTwo).when(vote('psn_ben')).then(voted('psn_ben'));
    given(requestedByTwo, voted('psn_ben'))
      .when(vote('psn_cy'))
      .then(voted('psn_cy'), granted('psn_ben', 'psn_cy'));
  });
  it('does not count the same approver twice', () =>
    given(requestedByTwo, voted('psn_ben')).when(vote('psn_ben')).thenNothing());
  it('is denied by one no', () =>
    given(requestedByTwo).when(vote('psn_ben', false)).then(voted('psn_ben', false), denied));
  it('takes no second thoughts', () =>
    given(requestedByTwo, voted('psn_ben')).when(vote('psn_ben', false)).thenRefused('ALREADY_VOTED'));
  it('is not given by the person who granted the mandate', () =>
    given(requested).when(vote('psn_ana')).thenRefused('SELF_APPROVAL'));
  it('is not given by the sponsor of the agent that asks', () =>
    given(requested).when(vote('psn_sam')).thenRefused('SELF_APPROVAL'));
  it('cannot be given after it has expired', () =>
    given(requested)
      .when(vote('psn_ben', true, expireTime))
      .thenRefused('APPROVAL_EXPIRED'));
  it('expires, and not before its time', () => {
    given(requested).when({ type: 'ExpireApproval', approvalId, at }).thenNothing();
    given(requested)
      .when({ type: 'ExpireApproval', approvalId, at: expireTime })
      .then({ type: 'ApprovalExpired', data: { approvalId } });
  });
  it('expires even when it was granted and never used', () =>
    given(requested, voted('psn_ben'), granted('psn_ben'))
      .when({ type: 'ExpireApproval', approvalId, at: expireTime })
      .then({ type: 'ApprovalExpired', data: { approvalId } }));
  it('is withdrawn while it is open', () =>
    given(requested).when({ type: 'WithdrawApproval', approvalId, cause }).then(withdrawn));
  it('cannot be given once it is withdrawn', () =>
    given(requested, withdrawn).when(vote('psn_ben')).thenRefused('APPROVAL_CLOSED'));
  it('cannot be given once it is denied', () =>
    given(requested, voted('psn_cy', false), denied).when(vote('psn_ben')).thenRefused('APPROVAL_CLOSED'));
  it('is used once', () => {
    given(requested, granted('psn_ben'))
      .when({ type: 'MarkApprovalUsed', approvalId, decisionId: 'dec_2' })
      .then(used);
    given(requested, granted('psn_ben'), used)
      .when({ type: 'MarkApprovalUsed', approvalId, decisionId: 'dec_2' })
      .thenNothing();
  });
  it('is not withdrawn after it was used', () =>
    given(requested, granted('psn_ben'), used)
      .when({ type: 'WithdrawApproval', approvalId, cause })
      .thenNothing());
  it('that nobody requested cannot be voted on', () =>
    given().when(vote('psn_ben')).thenRefused('APPROVAL_UNKNOWN'));
});

describe('the statement that an approver signs', () => {
  it('changes with the vote, the digest, the session and the policy set', () => {
    const all = [
      statementOf(request, true),
      statementOf(request, false),
      statementOf({ ...request, actionDigest: 'sha-256:e' }, true),
      statementOf({ ...request, sessionId: 'ses_2' }, true),
      statementOf({ ...request, policySetId: 'pol_2' }, true),
    ];
    expect(new Set(all).size).toBe(5);
  });
});
