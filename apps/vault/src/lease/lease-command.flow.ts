import { Injectable } from '@nestjs/common';
import { CommandHandler, type Handled, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { leaseFacts } from './lease.facts.js';
import { type Lease, type LeaseCommand, type LeaseEvent, leaseDecider } from './lease.js';

/** How commands reach a lease, for the three that give them: callers, other services' facts, time. */
@Injectable()
export class LeaseCommands {
  constructor(private readonly commands: CommandHandler) {}

  /** @param agentId keeps a lease's facts in order with the agent's others on the bus */
  handle(command: LeaseCommand, agentId: string, call: Call, tx?: Tx): Promise<Handled<Lease, LeaseEvent>> {
    return this.commands.handle(
      {
        decider: leaseDecider,
        facts: leaseFacts,
        streamId: `lease-${command.leaseId}`,
        kind: 'lease',
        partKey: agentId,
        command,
        call,
      },
      tx,
    );
  }
}
