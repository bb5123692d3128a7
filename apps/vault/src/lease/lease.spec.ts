import { describe, expect, it } from '@jest/globals';
import { RevokeCause } from '@writ/contracts/writ/vault/v1/lease_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import {
  type IssueLease,
  type LeaseCommand,
  type LeaseEvent,
  leaseDecider,
  type RenewLease,
  retrySeconds,
  usernameOf,
} from './lease.js';

const given = givenFor(leaseDecider);
const leaseId = 'lse_01K41M7JG0000000000000000A';
const minutes = (count: number) => new Date(Date.UTC(2026, 8, 1, 9, count));
const ids = {
  leaseId,
  databaseRoleId: 'dbr_01K41M7JG0000000000000000A',
  sessionId: 'ses_01K41M7JG0000000000000000A',
  agentId: 'agt_01K41M7JG0000000000000000A',
  decisionId: 'dec_01K41M7JG0000000000000000A',
  approvalId: '',
  secretVersion: 2,
  databaseSha256: 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0',
};
const issue: IssueLease = {
  type: 'IssueLease',
  ...ids,
  at: minutes(0),
  ttlSeconds: 600,
  ttlSecondsMax: 1_800,
  sessionExpireTime: minutes(60),
};
const issued = (expireTime = minutes(10)): LeaseEvent => ({
  type: 'LeaseIssued',
  data: { ...ids, username: usernameOf(leaseId), expireTime },
});
const renew: RenewLease = {
  type: 'RenewLease',
  leaseId,
  sessionId: ids.sessionId,
  issueTime: minutes(0),
  at: minutes(5),
  ttlSeconds: 600,
  ttlSecondsMax: 1_800,
  sessionExpireTime: minutes(60),
};
const renewed = (expireTime: Date): LeaseEvent => ({ type: 'LeaseRenewed', data: { leaseId, expireTime } });
const cause = RevokeCause.REVOKE_CAUSE_LOCKED;
const revoke: LeaseCommand = { type: 'RevokeLease', leaseId, cause };
const started: LeaseEvent = { type: 'LeaseRevocationStarted', data: { leaseId, cause } };
const fail: LeaseCommand = { type: 'NoteRevocationFailure', leaseId, failure: 'no answer' };
const failed = (attempt: number): LeaseEvent => ({
  type: 'LeaseRevocationFailed',
  data: { leaseId, attempt, failure: 'no answer' },
});
const confirm: LeaseCommand = { type: 'ConfirmRevocation', leaseId };
const revoked: LeaseEvent = { type: 'LeaseRevoked', data: { leaseId } };

describe('a lease', () => {
  it('lives as long as was asked for', () => given().when(issue).then(issued()));
  it('lives as long as its database role allows when nothing was asked for', () =>
    given()
      .when({ ...issue, ttlSeconds: 0 })
      .then(issued(minutes(30))));
  it('never lives longer than its database role allows', () =>
    given()
      .when({ ...issue, ttlSeconds: 86_400 })
      .then(issued(minutes(30))));
  it('never outlives its session', () =>
    given()
      .when({ ...issue, sessionExpireTime: minutes(3) })
      .then(issued(minutes(3))));
  it('is not made for a session that is over', () =>
    given()
      .when({ ...issue, sessionExpireTime: minutes(0) })
      .thenRefused('SESSION_OVER'));
  it('is issued once', () => given(issued()).when(issue).thenRefused('LEASE_ALREADY_ISSUED'));
});

describe('renewing a lease', () => {
  it('gives it the time that is asked for', () =>
    given(issued())
      .when(renew)
      .then(renewed(minutes(15))));
  it('never goes beyond the end of the session', () =>
    given(issued())
      .when({ ...renew, sessionExpireTime: minutes(12) })
      .then(renewed(minutes(12))));
  it('never goes beyond what the database role allows in total', () =>
    given(issued())
      .when({ ...renew, ttlSeconds: 86_400 })
      .then(renewed(minutes(30))));
  it('never shortens it', () =>
    given(issued())
      .when({ ...renew, ttlSeconds: 60 })
      .thenNothing());
  it('is for the session it was made for', () =>
    given(issued())
      .when({ ...renew, sessionId: 'ses_01K41M7JG0000000000000000B' })
      .thenRefused('LEASE_OF_ANOTHER_SESSION'));
  it('is too late once it has expired', () =>
    given(issued())
      .when({ ...renew, at: minutes(10) })
      .thenRefused('LEASE_EXPIRED'));
  it('is too late once its session is over', () =>
    given(issued())
      .when({ ...renew, sessionExpireTime: minutes(5) })
      .thenRefused('SESSION_OVER'));
  it('is too late once it is being revoked', () =>
    given(issued(), started).when(renew).thenRefused('LEASE_NOT_ACTIVE'));
  it('cannot bring a revoked lease back', () =>
    given(issued(), started, revoked).when(renew).thenRefused('LEASE_NOT_ACTIVE'));
  it('needs a lease', () => given().when(renew).thenRefused('LEASE_UNKNOWN'));
});

describe('revoking a lease', () => {
  it('starts before the database has confirmed', () => given(issued()).when(revoke).then(started));
  it('starts once, whatever asks again', () => given(issued(), started).when(revoke).thenNothing());
  it('goes on after a failure and is not started anew', () =>
    given(issued(), started, failed(1)).when(revoke).thenNothing());
  it('needs a lease', () => given().when(revoke).thenRefused('LEASE_UNKNOWN'));
  it('is over when the database has confirmed', () => given(issued(), started).when(confirm).then(revoked));
  it('is over when a later attempt succeeds', () =>
    given(issued(), started, failed(1), failed(2)).when(confirm).then(revoked));
  it('is confirmed once', () => given(issued(), started, revoked).when(confirm).thenNothing());
  it('counts its failures', () => given(issued(), started, failed(1)).when(fail).then(failed(2)));
  it('cannot fail any more once it is done', () =>
    given(issued(), started, revoked).when(fail).thenNothing());
  it('is never confirmed for a lease that nobody asked to revoke', () =>
    expect(() => given(issued()).when(confirm).thenNothing()).toThrow('nobody asked to revoke it'));
});

describe('a revocation that failed', () => {
  it('is tried again after 1 s, then 2, 4 and so on, and at least every five minutes for ever', () =>
    expect([1, 2, 3, 9, 10, 1_000].map(retrySeconds)).toEqual([1, 2, 4, 256, 300, 300]));
});
