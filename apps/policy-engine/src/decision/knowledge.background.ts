import { Injectable } from '@nestjs/common';
import { Background, Clock, Consumers, every, Readiness } from '@writ/service';
import { PolicyEngineSettings } from '../policy-engine.settings.js';
import { ActivePolicies } from '../policy-set/active-policies.store.js';
import { PolicyTelemetry } from '../telemetry.js';
import { knowledgeSources, knownEventOf } from './knowledge.facts.js';
import { Knowledge, type Known } from './knowledge.js';
import { KnowledgeReactions } from './knowledge.reactions.js';
import { type KnowledgeStatus, KnowledgeStore, type KnownRow, type Runs } from './knowledge.store.js';
import { Positions } from './positions.js';
import { endedMsKept } from './retention.js';

/** A replica that did not consume a fact itself learns of it within this time. */
const pollEveryMs = 50;
const sweepEveryMs = 60_000;
/** Well before what has ended is deleted from the stored copy: a reader that was away for longer starts over. */
const reloadAfterMs = endedMsKept / 2;

export interface FactPosition {
  readonly source: string;
  readonly pos: number;
}

const ownSource = 'policy-engine';

/**
 * Keeps the facts in memory that decisions are made from: loads the stored copy, then follows it, woken in this process by
 * each commit and otherwise every 50 ms. Facts are as fresh as the last time this succeeded.
 */
@Injectable()
export class KnowledgeFeed extends Background {
  #known = new Knowledge();
  #positions = new Map<string, Positions>();
  #batches = new Map<string, number>();
  #ownHead = 0;
  /** When the last successful read began, on the monotonic clock; undefined before the first. */
  #freshMs: number | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #stops: (() => void | Promise<void>)[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly store: KnowledgeStore,
    private readonly policies: ActivePolicies,
    private readonly consumers: Consumers,
    private readonly settings: PolicyEngineSettings,
    private readonly clock: Clock,
    private readonly telemetry: PolicyTelemetry,
    readiness: Readiness,
  ) {
    super();
    readiness.add('facts', () => this.staleBecause() === undefined);
  }

  get known(): Known {
    return this.#known;
  }

  async start(): Promise<void> {
    await this.store.prepare();
    await this.refresh();
    const failed = (cause: unknown) => this.telemetry.factsNotRead(cause);
    const sweep = async () => {
      this.#known.prune(this.clock.now());
      await this.store.forget(this.clock.now());
    };
    this.#stops = [
      this.store.onAdd(() => this.wake()),
      every(pollEveryMs, () => this.refresh(), failed),
      every(sweepEveryMs, sweep, (cause) => this.telemetry.sweepFailed(cause)),
    ];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    await this.#reading?.catch(() => undefined);
  }

  /** Something was committed: reads now instead of at the next turn. */
  wake(): void {
    if (this.#freshMs === undefined) return;
    this.refresh().catch((cause: unknown) => this.telemetry.factsNotRead(cause));
  }

  /** Why nothing may be decided now; undefined while facts are fresh. */
  staleBecause(): string | undefined {
    if (this.#freshMs === undefined) return 'facts have not been loaded yet';
    if (!this.consumers.of(KnowledgeReactions).healthy()) return 'the bus that brings facts does not answer';
    const ageMs = Math.round(this.clock.monotonicMs() - this.#freshMs);
    const most = this.settings.factsAgeMsMax;
    return ageMs < most ? undefined : `facts were last read ${ageMs} ms ago, at most ${most} ms are allowed`;
  }

  /** How far the facts of each source are known without a gap. */
  positions(): readonly FactPosition[] {
    const others = [...this.#positions].map(([source, { completeTo }]) => ({ source, pos: completeTo }));
    return [...others, { source: ownSource, pos: this.#ownHead }];
  }

  /** Whether all these facts are known, waiting for them up to `withinMs`. */
  async reached(positions: readonly FactPosition[], withinMs: number): Promise<boolean> {
    if (this.#has(positions)) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (this.#has(positions)) resolve();
    };
    this.#waiting.add(look);
    const timer = setTimeout(resolve, withinMs);
    this.wake();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(look);
    return this.#has(positions);
  }

  /** Resolves when everything that was committed before this call is known. Reads once at a time. */
  async refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#readUntilQuiet();
    return this.#reading;
  }

  async #readUntilQuiet(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.#read();
      } while (this.#again);
    } finally {
      // In the same turn as the last look at `#again`: nobody may join a reading that has ended.
      this.#reading = undefined;
    }
  }

  async #read(): Promise<void> {
    const startMs = this.clock.monotonicMs();
    const status = await this.store.status();
    if (this.#freshMs === undefined || startMs - this.#freshMs > reloadAfterMs) await this.#load();
    else await this.#follow(status);
    await this.policies.ensure(status.policySetVersion);
    this.#known.setUnreadable(status.unreadable);
    this.#ownHead = status.ownHead;
    this.#freshMs = startMs;
    for (const look of this.#waiting) look();
  }

  async #load(): Promise<void> {
    const { rows, received, batches } = await this.store.load();
    const known = new Knowledge();
    fold(known, rows);
    // What ended while nobody looked would otherwise stay until the first sweep.
    known.prune(this.clock.now());
    this.#positions = new Map(knowledgeSources.map((source) => [source, new Positions()]));
    for (const [source, runs] of Object.entries(received)) this.#receive(source, runs);
    this.#batches = new Map(Object.entries(batches));
    this.#known = known;
    this.telemetry.factsLoaded({ facts: rows.length, held: known.size });
  }

  async #follow({ batches }: KnowledgeStatus): Promise<void> {
    for (const [source, newest] of Object.entries(batches)) {
      const seen = this.#batches.get(source) ?? 0;
      if (newest <= seen) continue;
      const { rows, received } = await this.store.since(source, seen, newest);
      fold(this.#known, rows);
      this.#receive(source, received);
      this.#batches.set(source, newest);
    }
  }

  #receive(source: string, runs: Runs): void {
    for (const [from, upTo] of runs) this.#positions.get(source)?.add(from, upTo);
  }

  #has(positions: readonly FactPosition[]): boolean {
    return positions.every(({ source, pos }) =>
      source === ownSource ? pos <= this.#ownHead : (this.#positions.get(source)?.has(pos) ?? false),
    );
  }
}

function fold(known: Knowledge, rows: readonly KnownRow[]): void {
  for (const row of rows) {
    const event = knownEventOf(row);
    if (event !== undefined) known.apply(event, row.at);
  }
}
