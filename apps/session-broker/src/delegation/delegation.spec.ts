import { describe, it } from '@jest/globals';
import { type Grant, parseDetails } from '@writ/authority';
import type { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type Above, type DelegationCommand, type DelegationEvent, delegationDecider } from './delegation.js';

const at = new Date('2026-09-01T08:00:00Z');
const later = new Date('2026-09-01T10:00:00Z');
const rates = parseDetails([{ type: 'fx_rates', actions: ['read'], identifier: 'rates/*' }]);
const grant: Grant = { purpose: 'supplier run', details: rates, limits: {}, expiresAt: later, maxDepth: 0 };
const above: Above = {
  grant: { purpose: 'supplier run', details: rates, limits: {}, expiresAt: later, maxDepth: 1 },
  agentIds: ['agt_invoice'],
  live: true,
};
const delegation: DelegationMade = {
  delegationId: 'dlg_1',
  mandateId: 'mdt_1',
  parentDelegationId: '',
  depth: 1,
  delegatorAgentId: 'agt_invoice',
  delegateAgentId: 'agt_fx',
  sessionId: 'ses_1',
  purpose: 'supplier run',
  authorizationDetails: [],
  limits: undefined,
  expireTime: later,
  maxDepth: 0,
};
const delegate = (
  change: Partial<Extract<DelegationCommand, { type: 'Delegate' }>> = {},
): DelegationCommand => ({
  type: 'Delegate',
  delegation,
  grant,
  above,
  delegateActive: true,
  at,
  ...change,
});
const made: DelegationEvent = { type: 'DelegationMade', data: delegation };
const revoke: DelegationCommand = { type: 'RevokeDelegation', delegationId: 'dlg_1', reason: 'done' };
const revoked: DelegationEvent = {
  type: 'DelegationRevoked',
  data: { delegationId: 'dlg_1', reason: 'done' },
};
const given = givenFor(delegationDecider);

describe('a delegation', () => {
  it('hands on a part that lies within what it hangs below', () => given().when(delegate()).then(made));
  it('never hands on more', () => {
    const wider = parseDetails([{ type: 'fx_rates', actions: ['read', 'write'], identifier: 'rates/*' }]);
    given()
      .when(delegate({ grant: { ...grant, details: wider } }))
      .thenRefused('DELEGATION_WIDENS');
  });
  it('never outlives what it hangs below', () =>
    given()
      .when(delegate({ grant: { ...grant, expiresAt: new Date(later.getTime() + 1) } }))
      .thenRefused('DELEGATION_WIDENS'));
  it('never changes the purpose', () =>
    given()
      .when(delegate({ grant: { ...grant, purpose: 'another' } }))
      .thenRefused('DELEGATION_WIDENS'));
  it('never loosens a limit', () => {
    const limits = { callsTotal: 5 };
    given()
      .when(delegate({ above: { ...above, grant: { ...above.grant, limits } } }))
      .thenRefused('DELEGATION_WIDENS');
  });
  it('is refused where no hop is left', () =>
    given()
      .when(delegate({ above: { ...above, grant: { ...above.grant, maxDepth: 0 } } }))
      .thenRefused('DELEGATION_TOO_DEEP'));
  it('is refused where it asks for more hops than are left', () =>
    given()
      .when(delegate({ grant: { ...grant, maxDepth: 1 } }))
      .thenRefused('DELEGATION_TOO_DEEP'));
  it('never leads back to an agent of the chain', () =>
    given()
      .when(delegate({ above: { ...above, agentIds: ['agt_fx', 'agt_invoice'] } }))
      .thenRefused('DELEGATION_CYCLE'));
  it('needs an active delegate', () =>
    given()
      .when(delegate({ delegateActive: false }))
      .thenRefused('DELEGATE_NOT_ACTIVE'));
  it('needs a chain that is in force', () =>
    given()
      .when(delegate({ above: { ...above, live: false } }))
      .thenRefused('AUTHORITY_ENDED'));
  it('is made once', () => given(made).when(delegate()).thenRefused('DELEGATION_ALREADY_MADE'));
  it('can be revoked, once', () => {
    given(made).when(revoke).then(revoked);
    given(made, revoked).when(revoke).thenNothing();
  });
  it('cannot be revoked before it is made', () => given().when(revoke).thenRefused('DELEGATION_UNKNOWN'));
});
