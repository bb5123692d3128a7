import { Injectable } from '@nestjs/common';
import { CommandHandler } from '@writ/event-store';
import { Background, every, OwnCalls, Telemetry } from '@writ/service';
import { approvalFacts } from './approval.facts.js';
import { approvalDecider } from './approval.js';
import { ApprovalView } from './approval.view.js';

const SWEEP_EVERY_MS = 1_000;

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
      (cause) => this.telemetry.log.warn({ err: cause }, 'approvals were not expired'),
    );
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  async #sweep(): Promise<void> {
    const call = this.calls.next('timer:expire-approvals');
    for (const approvalId of await this.approvals.overdue(call.at)) {
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
}
