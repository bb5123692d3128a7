import { type Grant, isDelegable } from '@writ/authority';
import type { DelegationMade, DelegationRevoked } from '@writ/contracts/writ/session/v1/delegation_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type DelegationEvent =
  | { type: 'DelegationMade'; data: DelegationMade }
  | { type: 'DelegationRevoked'; data: DelegationRevoked };

/** What a new hop hangs below, and who is in the chain already. */
export interface Above {
  readonly grant: Grant;
  /** From the mandate's agent down to the delegator. */
  readonly agentIds: readonly string[];
  /** Whether session, mandate and every hop above are in force. */
  readonly live: boolean;
}

export type DelegationCommand =
  | {
      type: 'Delegate';
      delegation: DelegationMade;
      /** The same as the message, in the authority's own terms. */
      grant: Grant;
      above: Above;
      delegateActive: boolean;
      at: Date;
    }
  | { type: 'RevokeDelegation'; delegationId: string; reason: string };

export interface Delegation {
  readonly status: 'unknown' | 'active' | 'revoked';
}

export const refuse = refusals({
  DELEGATION_UNKNOWN: 'not-found',
  DELEGATION_ALREADY_MADE: 'conflict',
  DELEGATION_WIDENS: 'forbidden',
  DELEGATION_TOO_DEEP: 'forbidden',
  DELEGATION_CYCLE: 'forbidden',
  DELEGATION_EXPIRED: 'invalid',
  DELEGATE_NOT_ACTIVE: 'precondition',
  AUTHORITY_ENDED: 'precondition',
  NOT_THE_DELEGATOR: 'forbidden',
});

function delegate(command: Extract<DelegationCommand, { type: 'Delegate' }>): readonly DelegationEvent[] {
  const { delegation, grant, above, delegateActive, at } = command;
  const { delegateAgentId } = delegation;
  if (!above.live)
    throw refuse('AUTHORITY_ENDED', 'the session or what it works under has ended; nothing can be handed on');
  if (above.grant.maxDepth < 1)
    throw refuse('DELEGATION_TOO_DEEP', 'no further hop is allowed below this session');
  if (above.agentIds.includes(delegateAgentId)) {
    throw refuse('DELEGATION_CYCLE', `\`${delegateAgentId}\` is in the chain already`);
  }
  if (!delegateActive)
    throw refuse('DELEGATE_NOT_ACTIVE', `\`${delegateAgentId}\` is no active agent; attest it first`);
  if (grant.expiresAt <= at) throw refuse('DELEGATION_EXPIRED', 'a delegation expires in the future');
  const narrower = isDelegable(grant, above.grant);
  if (narrower === true) return [{ type: 'DelegationMade', data: delegation }];
  if (narrower.reason === 'DEPTH') throw refuse('DELEGATION_TOO_DEEP', narrower.message);
  throw refuse(
    'DELEGATION_WIDENS',
    `a delegation is never wider than what it hangs below: ${narrower.message}`,
  );
}

function decide(command: DelegationCommand, delegation: Delegation): readonly DelegationEvent[] {
  switch (command.type) {
    case 'Delegate':
      if (delegation.status !== 'unknown')
        throw refuse('DELEGATION_ALREADY_MADE', 'this delegation is made already');
      return delegate(command);
    case 'RevokeDelegation': {
      const { delegationId, reason } = command;
      if (delegation.status === 'unknown')
        throw refuse('DELEGATION_UNKNOWN', `no delegation \`${delegationId}\``);
      return delegation.status === 'revoked'
        ? []
        : [{ type: 'DelegationRevoked', data: { delegationId, reason } }];
    }
    default:
      return unreachable(command);
  }
}

function evolve(_: Delegation, event: DelegationEvent): Delegation {
  switch (event.type) {
    case 'DelegationMade':
      return { status: 'active' };
    case 'DelegationRevoked':
      return { status: 'revoked' };
    default:
      return unreachable(event);
  }
}

export const delegationDecider: Decider<Delegation, DelegationCommand, DelegationEvent> = {
  initialState: () => ({ status: 'unknown' }),
  decide,
  evolve,
};
