import { Injectable } from '@nestjs/common';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { CommandHandler, Database, type Tx } from '@writ/event-store';
import { Background, Clock, every, OwnCalls, Telemetry } from '@writ/service';
import { inTurns } from '../turns.js';
import { Assertions } from './assertion.store.js';
import { sessionFacts } from './session.facts.js';
import { sessionDecider } from './session.js';
import { type DueSession, SessionsDue } from './session-due.store.js';

const SWEEP_EVERY_MS = 1_000;
/** An append keeps all others waiting until its transaction ends: hence a few at a time, and on a busy machine fewer. */
const SESSIONS_PER_TRANSACTION = 50;
const TRANSACTION_MS = 100;

/**
 * Ends sessions for reasons that are not their agent's own: those noted as due, right after they are noted, and those
 * whose time is over. Ending twice is harmless, so a crash in between is too. Also forgets assertions that could not be
 * used any more.
 */
@Injectable()
export class SessionEnding extends Background {
  #stopped = false;
  #stopSweep: () => Promise<void> = async () => undefined;
  readonly #endDue = inTurns(() => this.#end());

  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly due: SessionsDue,
    private readonly assertions: Assertions,
    private readonly calls: OwnCalls,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#stopSweep = every(
      SWEEP_EVERY_MS,
      () => this.#sweep(),
      (cause) => this.telemetry.log.warn({ err: cause }, 'sessions were not expired'),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#stopSweep();
    await this.#endDue();
  }

  /** There are sessions that are due. What fails now is tried again by the next sweep. */
  wake(): void {
    this.#endDue().catch((cause) => this.telemetry.log.warn({ err: cause }, 'sessions were not ended'));
  }

  async #sweep(): Promise<void> {
    const call = this.calls.next('timer:expire-sessions');
    await this.due.noteOverdue(SessionEndCause.SESSION_END_CAUSE_EXPIRED, call);
    await this.#endDue();
    await this.assertions.forget(call.at);
  }

  async #end(): Promise<void> {
    while (!this.#stopped && (await this.#endSome()) > 0);
  }

  #endSome(): Promise<number> {
    return this.database.transaction(async (tx) => {
      const due = await this.due.take(SESSIONS_PER_TRANSACTION, tx);
      const startMs = this.clock.monotonicMs();
      const ended: DueSession[] = [];
      for (const one of due) {
        await this.#endOne(one, tx);
        ended.push(one);
        if (this.clock.monotonicMs() - startMs > TRANSACTION_MS) break;
      }
      if (ended.length > 0) await this.due.done(ended, tx);
      return ended.length;
    });
  }

  async #endOne({ sessionId, agentId, cause, ...why }: DueSession, tx: Tx): Promise<void> {
    const order = { decider: sessionDecider, facts: sessionFacts, kind: 'session', partKey: agentId };
    const streamId = `session-${sessionId}`;
    const command = { type: 'EndSession', sessionId, cause } as const;
    await this.commands.handle({ ...order, streamId, command, call: this.#callFor(why) }, tx);
  }

  /** In the trace of what caused it. */
  #callFor({ because, traceparent, tracestate }: Pick<DueSession, 'because' | 'traceparent' | 'tracestate'>) {
    const call = this.calls.next(because);
    return traceparent === '' ? call : { ...call, traceparent, tracestate };
  }
}
