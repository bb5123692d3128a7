import { Injectable } from '@nestjs/common';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { Background, every, OwnCalls, Telemetry } from '@writ/service';
import { Assertions } from './assertion.store.js';
import { SessionEnding } from './session.end.js';
import { SessionView } from './session.view.js';

const SWEEP_EVERY_MS = 1_000;

/** Ends sessions whose time is over, and forgets assertions that could not be used any more. */
@Injectable()
export class SessionExpiry extends Background {
  #stop: () => Promise<void> = async () => undefined;

  constructor(
    private readonly sessions: SessionView,
    private readonly ending: SessionEnding,
    private readonly assertions: Assertions,
    private readonly calls: OwnCalls,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#stop = every(
      SWEEP_EVERY_MS,
      () => this.#sweep(),
      (cause) => this.telemetry.log.warn({ err: cause }, 'sessions were not expired'),
    );
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  async #sweep(): Promise<void> {
    const call = this.calls.next('timer:expire-sessions');
    const overdue = await this.sessions.overdue(call.at);
    await this.ending.end(overdue, SessionEndCause.SESSION_END_CAUSE_EXPIRED, call);
    await this.assertions.forget(call.at);
  }
}
