import { detailsFromMessages, type Grant, limitsFromMessage } from '@writ/authority';
import type { DelegationMade } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import type { MandateGranted } from '@writ/contracts/writ/session/v1/mandate_facts.js';

/** A hop as the read models hold it. */
export interface HeldMandate {
  readonly granted: MandateGranted;
  readonly revoked: boolean;
}

export interface HeldDelegation {
  readonly made: DelegationMade;
  readonly revoked: boolean;
}

/** The hops that a session works under: the mandate, and the delegations below it in their order. */
export interface Hops {
  readonly mandate: HeldMandate;
  readonly delegations: readonly HeldDelegation[];
}

/** What the last hop gives. */
export function grantOf(hops: Hops): Grant {
  const last = hops.delegations.at(-1)?.made ?? hops.mandate.granted;
  const { purpose, authorizationDetails, limits, expireTime, maxDepth } = last;
  return {
    purpose,
    details: detailsFromMessages(authorizationDetails),
    limits: limitsFromMessage(limits),
    expiresAt: expireTime ?? new Date(0),
    maxDepth,
  };
}

/** The agents of a chain, from the mandate's own down. */
export function agentsOf({ mandate, delegations }: Hops): readonly string[] {
  return [mandate.granted.agentId, ...delegations.map(({ made }) => made.delegateAgentId)];
}

/** When the first hop of a chain ends. */
export function expiryOf({ mandate, delegations }: Hops): Date {
  const times = [mandate.granted.expireTime, ...delegations.map(({ made }) => made.expireTime)];
  return new Date(Math.min(...times.map((time) => time?.getTime() ?? 0)));
}

/** Whether each hop is in force and hangs together. */
export function isLive(hops: Hops, at: Date): boolean {
  const { mandate, delegations } = hops;
  if (mandate.revoked || delegations.some(({ revoked }) => revoked) || expiryOf(hops) <= at) return false;
  return delegations.every(({ made }, index) => {
    const parent = delegations[index - 1]?.made;
    return (
      made.mandateId === mandate.granted.mandateId && made.parentDelegationId === (parent?.delegationId ?? '')
    );
  });
}
