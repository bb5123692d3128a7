import { Injectable } from '@nestjs/common';
import { CommandHandler, Database, type Tx } from '@writ/event-store';
import { Background, Clock, every, OwnCalls, Telemetry } from '@writ/service';
import { agentFacts } from './agent.facts.js';
import { agentDecider } from './agent.js';
import { AgentsDue, type DueAgent } from './agent-due.store.js';

const SWEEP_EVERY_MS = 1_000;
/** An append keeps all others waiting until its transaction ends: hence a few at a time, and on a busy machine fewer. */
const AGENTS_PER_TRANSACTION = 50;
const TRANSACTION_MS = 100;

/**
 * Orphans agents that are noted as due, right after they are noted. Orphaning twice is harmless, and an agent that has
 * another sponsor by then is left alone.
 */
@Injectable()
export class AgentOrphaning extends Background {
  #stopped = false;
  #stopSweep: () => Promise<void> = async () => undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly due: AgentsDue,
    private readonly calls: OwnCalls,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    this.#stopSweep = every(
      SWEEP_EVERY_MS,
      () => this.wake(),
      () => undefined,
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#stopSweep();
    await this.#turn;
  }

  /** There are agents that are due. What fails now is tried again by the next sweep. */
  wake(): Promise<void> {
    const warn = (cause: unknown) => this.telemetry.log.warn({ err: cause }, 'agents were not orphaned');
    this.#turn = this.#turn.then(() => this.#orphan()).catch(warn);
    return this.#turn;
  }

  async #orphan(): Promise<void> {
    while (!this.#stopped && (await this.#orphanSome()) > 0);
  }

  #orphanSome(): Promise<number> {
    return this.database.transaction(async (tx) => {
      const due = await this.due.take(AGENTS_PER_TRANSACTION, tx);
      const startMs = this.clock.monotonicMs();
      const orphaned: DueAgent[] = [];
      for (const one of due) {
        await this.#orphanOne(one, tx);
        orphaned.push(one);
        if (this.clock.monotonicMs() - startMs > TRANSACTION_MS) break;
      }
      if (orphaned.length > 0) await this.due.done(orphaned, tx);
      return orphaned.length;
    });
  }

  async #orphanOne({ agentId, personId, because, traceparent, tracestate }: DueAgent, tx: Tx): Promise<void> {
    const own = this.calls.next(because);
    // In the trace of what caused it.
    const call = traceparent === '' ? own : { ...own, traceparent, tracestate };
    const order = { decider: agentDecider, facts: agentFacts, streamId: `agent-${agentId}`, kind: 'agent' };
    const command = { type: 'OrphanAgent', at: call.at, agentId, personId } as const;
    await this.commands.handle({ ...order, partKey: agentId, command, call }, tx);
  }
}
