import {
  type AuthorizationDetail,
  detailToMessage,
  type Limits,
  limitsToMessage,
  MAX_DEPTH,
} from '@writ/authority';
import type { MandateGranted, MandateRevoked } from '@writ/contracts/writ/session/v1/mandate_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type MandateEvent =
  | { type: 'MandateGranted'; data: MandateGranted }
  | { type: 'MandateRevoked'; data: MandateRevoked };

export interface GrantMandate {
  readonly type: 'GrantMandate';
  readonly at: Date;
  readonly mandateId: string;
  /** Who allows it and answers for it. */
  readonly personId: string;
  readonly agentId: string;
  /** As the registry tells of the agent: `unknown`, `active`, `retired`… */
  readonly agentStatus: string;
  readonly purpose: string;
  readonly details: readonly AuthorizationDetail[];
  readonly limits: Limits;
  readonly expiresAt: Date;
  readonly maxDepth: number;
}

export type MandateCommand =
  | GrantMandate
  | {
      readonly type: 'RevokeMandate';
      readonly mandateId: string;
      readonly personId: string;
      /** Whether the person may revoke what others granted. */
      readonly mayRevokeAny: boolean;
      readonly reason: string;
    };

export interface Mandate {
  readonly status: 'unknown' | 'active' | 'revoked';
  readonly personId: string;
}

export const MANDATE_LIFE_DAYS_MAX = 90;
const DAY_MS = 24 * 60 * 60 * 1000;

export const refuse = refusals({
  MANDATE_UNKNOWN: 'not-found',
  MANDATE_ALREADY_GRANTED: 'conflict',
  MANDATE_EXPIRY: 'invalid',
  MANDATE_DEPTH: 'invalid',
  AGENT_UNKNOWN: 'not-found',
  AGENT_RETIRED: 'precondition',
  NOT_THE_GRANTOR: 'forbidden',
});

/** The last moment at which a mandate granted at `at` may expire. */
export function latestExpiry(at: Date): Date {
  return new Date(at.getTime() + MANDATE_LIFE_DAYS_MAX * DAY_MS);
}

function grant(command: GrantMandate): readonly MandateEvent[] {
  const { at, mandateId, personId, agentId, purpose, expiresAt, maxDepth } = command;
  if (command.agentStatus === 'unknown')
    throw refuse('AGENT_UNKNOWN', `no agent \`${agentId}\` is known; register it first`);
  if (command.agentStatus === 'retired')
    throw refuse('AGENT_RETIRED', `agent \`${agentId}\` is retired for good; name another`);
  // Negated, so that an invalid date is refused.
  if (!(expiresAt > at && expiresAt <= latestExpiry(at)))
    throw refuse('MANDATE_EXPIRY', `a mandate expires within ${MANDATE_LIFE_DAYS_MAX} days from now`);
  if (!Number.isInteger(maxDepth) || maxDepth < 0 || maxDepth > MAX_DEPTH)
    throw refuse('MANDATE_DEPTH', `a mandate allows 0 to ${MAX_DEPTH} hops, not \`${maxDepth}\``);
  const authorizationDetails = command.details.map(detailToMessage);
  const limits = limitsToMessage(command.limits);
  const data = { mandateId, personId, agentId, purpose, authorizationDetails, limits, maxDepth };
  return [{ type: 'MandateGranted', data: { ...data, expireTime: expiresAt } }];
}

function decide(command: MandateCommand, mandate: Mandate): readonly MandateEvent[] {
  const { mandateId } = command;
  switch (command.type) {
    case 'GrantMandate':
      if (mandate.status !== 'unknown')
        throw refuse('MANDATE_ALREADY_GRANTED', `mandate \`${mandateId}\` is already granted`);
      return grant(command);
    case 'RevokeMandate':
      if (mandate.status === 'unknown') throw refuse('MANDATE_UNKNOWN', `no mandate \`${mandateId}\``);
      if (command.personId !== mandate.personId && !command.mayRevokeAny)
        throw refuse(
          'NOT_THE_GRANTOR',
          `mandate \`${mandateId}\` is revoked by who granted it, or by security`,
        );
      if (mandate.status === 'revoked') return [];
      return [{ type: 'MandateRevoked', data: { mandateId, reason: command.reason } }];
    default:
      return unreachable(command);
  }
}

function evolve(mandate: Mandate, event: MandateEvent): Mandate {
  switch (event.type) {
    case 'MandateGranted':
      return { status: 'active', personId: event.data.personId };
    case 'MandateRevoked':
      return { ...mandate, status: 'revoked' };
    default:
      return unreachable(event);
  }
}

export const mandateDecider: Decider<Mandate, MandateCommand, MandateEvent> = {
  initialState: () => ({ status: 'unknown', personId: '' }),
  decide,
  evolve,
};
