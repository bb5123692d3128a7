import { detailsFromMessages, type Grant, type Hop, limitsFromMessage } from '@writ/authority';
import type { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import type { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';

/** A thing without an expiry has expired: absence never extends authority. */
export const longAgo = new Date(0);

function grantOf(data: MandateGranted | DelegationMade): Grant {
  return {
    purpose: data.purpose,
    details: detailsFromMessages(data.authorizationDetails),
    limits: limitsFromMessage(data.limits),
    expiresAt: data.expireTime ?? longAgo,
    maxDepth: data.maxDepth,
  };
}

/** @throws Refusal AUTHORIZATION_DETAILS_INVALID, LIMITS_INVALID */
export function mandateHop(data: MandateGranted): Hop {
  const { mandateId: id, personId: grantorId, agentId: holderId } = data;
  return { kind: 'mandate', id, grantorId, holderId, grant: grantOf(data), revoked: false };
}

/** @throws Refusal AUTHORIZATION_DETAILS_INVALID, LIMITS_INVALID */
export function delegationHop(data: DelegationMade): Hop {
  const { delegationId: id, delegatorAgentId: grantorId, delegateAgentId: holderId } = data;
  const parentId = data.parentDelegationId === '' ? data.mandateId : data.parentDelegationId;
  return { kind: 'delegation', id, parentId, grantorId, holderId, grant: grantOf(data), revoked: false };
}

/** Stands for a grant of which only the revocation is known. It hangs nowhere and gives nothing. */
export function nobodysHop(id: string): Hop {
  const grant = { purpose: '', details: [], limits: {}, expiresAt: longAgo, maxDepth: 0 };
  return { kind: 'mandate', id, grantorId: '', holderId: '', grant, revoked: true };
}
