import { unreachable } from '@writ/kernel';
import type { KnownEvent } from './known-event.js';

/** How long something is still known after its end, so that a deny can say that it ended. */
export const endedMsKept = 10 * 60 * 1000;

/** From when on something that ends at `end` may be forgotten. */
export function mayForget(end: Date): Date {
  return new Date(end.getTime() + endedMsKept);
}

/** How long the stored copy of a fact is needed. */
export interface Retention {
  /** What the fact is about, `session:ses_…`. */
  readonly subject: string;
  /** The subject's natural end, if it has one. */
  readonly endsAt?: Date;
  /** The subject is over: nothing about it is needed any more. */
  readonly ends: boolean;
  /** Only the newest fact of this type matters. */
  readonly newestOnly: boolean;
}

/** A subject that is not known is denied, so forgetting never opens anything. */
export function retentionOf(event: KnownEvent): Retention {
  switch (event.type) {
    case 'AgentRegistered':
    case 'AgentAttested':
    case 'AgentProvenanceChanged':
    case 'AgentSuspended':
    case 'AgentReinstated':
    case 'AgentOrphaned':
    case 'AgentSponsorChanged':
      return lasting(`agent:${event.data.agentId}`);
    case 'AgentTrustScored':
      return { ...lasting(`agent:${event.data.agentId}`), newestOnly: true };
    case 'AgentRetired':
      return over(`agent:${event.data.agentId}`);
    case 'PersonRegistered':
      return lasting(`person:${event.data.personId}`);
    case 'PersonLeft':
      return over(`person:${event.data.personId}`);
    case 'MandateGranted':
      return lasting(`hop:${event.data.mandateId}`, event.data.expireTime);
    case 'DelegationMade':
      return lasting(`hop:${event.data.delegationId}`, event.data.expireTime);
    case 'MandateRevoked':
      return lasting(`hop:${event.data.mandateId}`);
    case 'DelegationRevoked':
      return lasting(`hop:${event.data.delegationId}`);
    case 'SessionOpened':
      return lasting(`session:${event.data.sessionId}`, event.data.expireTime);
    case 'SessionEnded':
      return over(`session:${event.data.sessionId}`);
    case 'ApprovalGranted':
      return lasting(`approval:${event.data.approvalId}`, event.data.expireTime);
    case 'ApprovalUsed':
    case 'ApprovalDenied':
    case 'ApprovalExpired':
    case 'ApprovalWithdrawn':
      return over(`approval:${event.data.approvalId}`);
    default:
      return unreachable(event);
  }
}

function lasting(subject: string, endsAt?: Date): Retention {
  return { subject, ends: false, newestOnly: false, ...(endsAt && { endsAt }) };
}

function over(subject: string): Retention {
  return { subject, ends: true, newestOnly: false };
}
