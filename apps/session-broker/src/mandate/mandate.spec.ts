import { describe, expect, it } from '@jest/globals';
import { detailsFromMessages, parseDetails, parseLimits } from '@writ/authority';
import { givenFor } from '@writ/testing/decider.js';
import fc from 'fast-check';
import { type GrantMandate, type MandateCommand, type MandateEvent, mandateDecider } from './mandate.js';

const given = givenFor(mandateDecider);
const at = new Date('2026-09-01T09:00:00.000Z');
const inDays = (days: number) => new Date(at.getTime() + days * 86_400_000);
const mandateId = 'mdt_01K41M7JG00000000000000MDT';
const ana = 'psn_01K41M7JG00000000000000ANA';
const ben = 'psn_01K41M7JG00000000000000BEN';
const agentId = 'agt_01K41M7JG00000000000000AGT';

const grant: GrantMandate = {
  type: 'GrantMandate',
  at,
  mandateId,
  personId: ana,
  agentId,
  agentStatus: 'active',
  purpose: 'September supplier run',
  details: parseDetails([{ type: 'payment', actions: ['pay'], identifier: 'invoices/*' }]),
  limits: parseLimits({ amountTotal: { currency: 'EUR', value: '20000' }, callsTotal: 100 }),
  expiresAt: inDays(1),
  maxDepth: 1,
};
const granted: MandateEvent = {
  type: 'MandateGranted',
  data: {
    mandateId,
    personId: ana,
    agentId,
    purpose: 'September supplier run',
    authorizationDetails: [
      {
        type: 'payment',
        actions: ['pay'],
        locations: [],
        datatypes: [],
        identifier: 'invoices/*',
        privileges: [],
        constraints: undefined,
      },
    ],
    limits: { amountTotal: { currencyCode: 'EUR', value: '20000' }, amountEach: undefined, callsTotal: 100n },
    expireTime: inDays(1),
    maxDepth: 1,
  },
};
const revoke: MandateCommand = {
  type: 'RevokeMandate',
  mandateId,
  personId: ana,
  mayRevokeAny: false,
  reason: 'the run is over',
};
const revoked: MandateEvent = { type: 'MandateRevoked', data: { mandateId, reason: 'the run is over' } };

describe('a mandate', () => {
  it('says what a person allows an agent', () => given().when(grant).then(granted));
  it('is granted once', () => given(granted).when(grant).thenRefused('MANDATE_ALREADY_GRANTED'));
  it('may be granted to an agent that is not attested yet', () =>
    given()
      .when({ ...grant, agentStatus: 'awaiting-attestation' })
      .then(granted));
  it('is not granted to an agent that nobody registered', () =>
    given()
      .when({ ...grant, agentStatus: 'unknown' })
      .thenRefused('AGENT_UNKNOWN'));
  it('is not granted to a retired agent', () =>
    given()
      .when({ ...grant, agentStatus: 'retired' })
      .thenRefused('AGENT_RETIRED'));

  it.each([
    ['has passed', inDays(-1)],
    ['is now', at],
    ['lies more than 90 days ahead', inDays(90.001)],
    ['is no time at all', new Date(Number.NaN)],
  ])('is not granted when its expiry %s', (_, expiresAt) =>
    given()
      .when({ ...grant, expiresAt })
      .thenRefused('MANDATE_EXPIRY'),
  );
  it.each([-1, 9, 1.5, Number.NaN])('does not allow %p hops', (maxDepth) =>
    given()
      .when({ ...grant, maxDepth })
      .thenRefused('MANDATE_DEPTH'),
  );

  it('is revoked by the person who granted it', () => given(granted).when(revoke).then(revoked));
  it('is not revoked by another person', () =>
    given(granted)
      .when({ ...revoke, personId: ben })
      .thenRefused('NOT_THE_GRANTOR'));
  it('is revoked by security, whoever granted it', () =>
    given(granted)
      .when({ ...revoke, personId: ben, mayRevokeAny: true })
      .then(revoked));
  it('stays revoked when revoked twice', () => given(granted, revoked).when(revoke).thenNothing());
  it('cannot be revoked before it is granted', () => given().when(revoke).thenRefused('MANDATE_UNKNOWN'));
  it('is not granted again under the same id once revoked', () =>
    given(granted, revoked).when(grant).thenRefused('MANDATE_ALREADY_GRANTED'));

  it('records the very authority it was granted with, for every expiry and depth that is allowed', () => {
    const days = fc.double({ min: 0.001, max: 90, noNaN: true });
    fc.assert(
      fc.property(days, fc.integer({ min: 0, max: 8 }), (expiryDays, maxDepth) => {
        const expiresAt = inDays(expiryDays);
        const [fact] = mandateDecider.decide(
          { ...grant, expiresAt, maxDepth },
          mandateDecider.initialState(),
        );
        if (fact?.type !== 'MandateGranted') throw new Error('not granted');
        expect(detailsFromMessages(fact.data.authorizationDetails)).toEqual(grant.details);
        expect(fact.data).toMatchObject({ expireTime: expiresAt, maxDepth });
      }),
    );
  });
});
