import { Injectable } from '@nestjs/common';
import { isEnvironmentFailure } from '@writ/event-bus';
import { CommandHandler } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { Background, every, OwnCalls, Telemetry } from '@writ/service';
import { approvalFacts } from './approval.facts.js';
import { approvalDecider } from './approval.js';
import { ApprovalView } from './approval.view.js';

const SWEEP_EVERY_MS = 1_000;
const notExpired = 'approvals were not expired';

/** Expires what nobody decided in time. Decisions do not wait for it: they compare the time themselves. */
@Injectable()
export class ApprovalExpiry extends Background {
  #stop: () => Promise<void> = async () => undefined;

  constructor(
    private readonly commands: CommandHandler,
    private readonly approvals: ApprovalView,
    private readonly calls: OwnCalls,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#stop = every(
      SWEEP_EVERY_MS,
      () => this.#sweep(),
      (cause) => this.telemetry.log.warn({ err: cause }, notExpired),
    );
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  async #sweep(): Promise<void> {
    const call = this.calls.next('timer:expire-approvals');
    for (const approvalId of await this.approvals.overdue(call.at)) {
      try {
        await this.#expire(approvalId, call);
      } catch (cause) {
        // Without a database the others fail as well, each after a wait; the next sweep comes in a second.
        if (isEnvironmentFailure(cause)) throw cause;
        this.telemetry.log.warn({ err: cause, approvalId }, notExpired);
      }
    }
  }

  async #expire(approvalId: string, call: Call): Promise<void> {
    await this.commands.handle({
      decider: approvalDecider,
      facts: approvalFacts,
      streamId: `approval-${approvalId}`,
      kind: 'approval',
      partKey: approvalId,
      command: { type: 'ExpireApproval', approvalId, at: call.at },
      call,
    });
  }
}
