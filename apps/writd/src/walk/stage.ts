import { setTimeout as delay } from 'node:timers/promises';
import type { Position } from '@writ/contracts/writ/type/v1/authority.js';
import { refusalOf, SystemClock } from '@writ/service';
import type { Clients } from '../suite/clients.js';
import type { StartedSuite } from '../suite/start-suite.js';
import type { AgentSession } from './agent-session.js';
import type { Member } from './cast.js';
import type { Erp } from './erp.js';

/** How long the walk waits for something that other services have to hear of first. */
const ARRIVAL_MS_MAX = 15_000;
const ASK_EVERY_MS = 20;

/** What one step leaves for those after it. */
export interface Props {
  ana: Member;
  ben: Member;
  sam: Member;
  invoiceAgent: Member;
  fxAgent: Member;
  erp: Erp;
  mandateId: string;
  databaseRoleId: string;
  leaseId: string;
  lease: { username: string; password: string };
  paymentDecisionId: string;
  pendingApprovalId: string;
}

/** Where the walk happens: the suite from the outside, the operator, and lines for whoever watches. */
export class Stage {
  readonly clock = new SystemClock();
  readonly props: Partial<Props> = {};
  #session: AgentSession | undefined;
  #fxSession: AgentSession | undefined;

  constructor(
    readonly suite: StartedSuite,
    readonly operator: Member,
    /** The finance system's enforcement point, which asks before it acts. */
    readonly point: Clients,
    private readonly print: (line: string) => void,
  ) {}

  /** Of the invoice agent. */
  get session(): AgentSession {
    return required(this.#session, 'session');
  }

  set session(session: AgentSession) {
    this.#session = session;
  }

  get fxSession(): AgentSession {
    return required(this.#fxSession, 'session of fx-agent');
  }

  set fxSession(session: AgentSession) {
    this.#fxSession = session;
  }

  /** A prop that an earlier step has made. */
  get<Name extends keyof Props>(name: Name): Props[Name] {
    return required<Props[Name]>(this.props[name], name);
  }

  /** One line of the walk, with the ledger entry of what it caused. */
  say(line: string, index?: bigint): void {
    this.print(`     ${line}${index === undefined ? '' : `  [ledger ${index}]`}`);
  }

  /** The ledger entry of a fact whose position is known. */
  async entryAt(position: Position | undefined): Promise<bigint> {
    if (position === undefined) throw new Error('the answer carries no position');
    return this.until(`entry of ${position.source}/${position.pos}`, async () => {
      const entry = await this.operator.clients.ledger.getEntry({ index: 0n, position }).catch(orNotFound);
      return entry?.index;
    });
  }

  /** The newest ledger entry of a type that names an id. */
  async entryOf(subjectId: string, type: string): Promise<bigint> {
    return this.until(`${type} of ${subjectId}`, async () => {
      const filter = { pageSize: 200, pageToken: '', subjectId, type, task: '', source: '', actor: '' };
      const { entries } = await this.operator.clients.ledger.listEntries({
        ...filter,
        startTime: undefined,
        endTime: undefined,
      });
      return entries.at(-1)?.index;
    });
  }

  /** Asks again until there is an answer. */
  async until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    const giveUpAtMs = this.clock.monotonicMs() + ARRIVAL_MS_MAX;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (this.clock.monotonicMs() > giveUpAtMs)
        throw new Error(`${what} did not arrive within ${ARRIVAL_MS_MAX / 1000} s`);
      await delay(ASK_EVERY_MS);
    }
  }

  /** Milliseconds that `work` takes. */
  async timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
    const startMs = this.clock.monotonicMs();
    const result = await work();
    return { result, ms: this.clock.monotonicMs() - startMs };
  }

  inHours(hours: number): Date {
    return new Date(this.clock.now().getTime() + hours * 60 * 60 * 1000);
  }
}

/** The claim of a step does not hold: the walk has failed. */
export function expectThat(claim: string, holds: boolean, seen: unknown): asserts holds {
  const shown = JSON.stringify(seen, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
  if (!holds) throw new Error(`does not hold: ${claim}; seen: ${shown}`);
}

/** Requires that a call is refused, with a code of `reasons`; answers the code. */
export async function expectRefused(
  claim: string,
  call: Promise<unknown>,
  ...reasons: string[]
): Promise<string> {
  const reason = await call.then(
    () => 'not refused',
    (error: unknown) => refusalOf(error)?.reason ?? String(error),
  );
  expectThat(claim, reasons.includes(reason), reason);
  return reason;
}

function required<T>(prop: T | undefined, name: string): T {
  if (prop === undefined) throw new Error(`an earlier step has left no \`${name}\``);
  return prop;
}

function orNotFound(error: unknown): undefined {
  if (refusalOf(error)?.status === 'NOT_FOUND') return undefined;
  throw error;
}
