import { Injectable } from '@nestjs/common';
import { canonicalJson } from '@writ/kernel';
import { Background, Clock, Telemetry } from '@writ/service';
import { openFact } from '../entry/entry.facts.js';
import { CHAIN_START } from '../entry/entry.js';
import { EntryAppend, sha256 } from '../entry/entry.store.js';
import { EntryView } from '../entry/entry.view.js';
import type { LedgerRow } from '../entry/verify.js';
import { AuditTelemetry } from '../telemetry.js';
import { fingerprinted, type OcsfEvent, ocsfEvent, type PreviousEvent, uidOf } from './ocsf.js';
import { ocsfPartOf, opaquePart } from './siem.facts.js';
import type { SiemSink } from './siem.provider.js';
import { type SiemCursor, SiemCursors } from './siem.view.js';

/** The sinks of this deployment. */
export class SiemSinks {
  constructor(readonly all: readonly SiemSink[]) {}
}

/** What every feed works with. */
interface FeedParts {
  readonly entries: EntryView;
  readonly cursors: SiemCursors;
  readonly clock: Clock;
  readonly telemetry: AuditTelemetry;
  /** Names this process as the one that holds a sink. */
  readonly holder: string;
}

const BATCH_ENTRIES = 500;
const POLL_MS = 250;
/** How often a held sink is held again, and how often one that another process holds is asked for. */
const HOLD_EVERY_MS = 2_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;

/**
 * Forwards the ledger to every sink, in its order, each sink from a place of its own: one that is down waits,
 * loses nothing and slows neither the ledger nor the others.
 */
@Injectable()
export class SiemForwarder extends Background {
  private readonly feeds: readonly Feed[];
  private unlisten: (() => void) | undefined;

  constructor(
    sinks: SiemSinks,
    entries: EntryView,
    cursors: SiemCursors,
    clock: Clock,
    telemetry: Telemetry,
    private readonly append: EntryAppend,
  ) {
    super();
    const holder = clock.newEventId();
    const parts = { entries, cursors, clock, telemetry: new AuditTelemetry(telemetry.log), holder };
    this.feeds = sinks.all.map((sink) => new Feed(sink, parts));
  }

  override async start(): Promise<void> {
    this.unlisten = this.append.onAppend(() => {
      for (const feed of this.feeds) feed.wake();
    });
    for (const feed of this.feeds) feed.start();
  }

  override async stop(): Promise<void> {
    this.unlisten?.();
    await Promise.all(this.feeds.map((feed) => feed.stop()));
  }
}

/** One sink and its place in the ledger. */
class Feed {
  private stopping = false;
  private running: Promise<void> | undefined;
  private rest: (() => void) | undefined;
  private pauseMs = PAUSE_MS_MIN;
  private cursor: SiemCursor | undefined;
  private heldAtMs = 0;
  private opened = false;

  constructor(
    private readonly sink: SiemSink,
    private readonly parts: FeedParts,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** A feed that pauses after a failure stays paused: new entries do not mend its sink. */
  wake(): void {
    if (this.opened) this.rest?.();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.rest?.();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      try {
        const restMs = await this.turn();
        this.pauseMs = PAUSE_MS_MIN;
        if (restMs > 0) await this.wait(restMs);
      } catch (cause) {
        this.opened = false;
        this.cursor = undefined;
        this.parts.telemetry.sinkFailed(this.sink.name, this.pauseMs, cause);
        await this.wait(this.pauseMs);
        this.pauseMs = Math.min(2 * this.pauseMs, PAUSE_MS_MAX);
      }
    }
    await this.leave();
  }

  /** Delivers at most one batch; answers how long to rest before the next turn. */
  private async turn(): Promise<number> {
    const { entries, telemetry } = this.parts;
    const cursor = await this.held();
    if (cursor === undefined) {
      // Whoever holds it now writes on; it is opened afresh when it comes back.
      if (this.opened) await this.sink.close();
      this.opened = false;
      return HOLD_EVERY_MS;
    }
    if (!this.opened) await this.sink.open();
    this.opened = true;
    const { ledgerId, size } = await entries.state();
    if (cursor.nextIndex >= size) return POLL_MS;
    const { rows } = await entries.list({}, { from: cursor.nextIndex, to: size, limit: BATCH_ENTRIES });
    const last = rows.at(-1);
    if (last === undefined) return POLL_MS;
    const chainBefore = (await entries.chainBefore(cursor.nextIndex)) ?? CHAIN_START;
    const events = eventsOf(ledgerId, rows, chainBefore, cursor);
    await this.sink.deliver(events);
    this.cursor = await this.parts.cursors.advance(cursor, this.parts.holder, {
      nextIndex: last.index + 1,
      fingerprint: fingerprintOf(events.at(-1)),
    });
    telemetry.sinkTook(this.sink.name, events.length, size - this.cursor.nextIndex);
    return 0;
  }

  private async held(): Promise<SiemCursor | undefined> {
    const { clock, cursors, holder } = this.parts;
    const nowMs = clock.monotonicMs();
    if (this.cursor === undefined || nowMs - this.heldAtMs > HOLD_EVERY_MS) {
      this.cursor = await cursors.hold(this.sink.name, holder);
      this.heldAtMs = nowMs;
    }
    return this.cursor;
  }

  private async leave(): Promise<void> {
    const { cursors, holder, telemetry } = this.parts;
    try {
      await this.sink.close();
      await cursors.release(this.sink.name, holder);
    } catch (cause) {
      // Another process takes the sink when the hold runs out.
      telemetry.sinkFailed(this.sink.name, 0, cause);
    }
  }

  private wait(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.rest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function eventsOf(
  ledgerId: string,
  rows: readonly LedgerRow[],
  chainBefore: Uint8Array,
  cursor: SiemCursor,
): OcsfEvent[] {
  let chain = chainBefore;
  let before: PreviousEvent = { uid: uidOf(ledgerId, cursor.nextIndex - 1), fingerprint: cursor.fingerprint };
  return rows.map((row) => {
    const event = eventOf(ledgerId, row, chain, before);
    chain = row.chain;
    before = { uid: uidOf(ledgerId, row.index), fingerprint: fingerprintOf(event) };
    return event;
  });
}

/** One entry as an event, with its place in the chain of events and its fingerprint. */
export function eventOf(
  ledgerId: string,
  row: LedgerRow,
  chainBefore: Uint8Array,
  before: PreviousEvent,
): OcsfEvent {
  const opened = row.payload && openFact(row.type, row.payload);
  const part = opened ? ocsfPartOf(opened) : opaquePart(uidOf(ledgerId, row.index));
  const { index, source, pos, eventId, type, atMs, actor, cause, traceparent, subjectIds } = row;
  const digests = { leaf: hex(row.leaf), chain: hex(row.chain), chainBefore: hex(chainBefore) };
  const fact = { index, source, pos, eventId, type, atMs, actor, cause, traceparent, subjectIds };
  const event = ocsfEvent(part, { ledgerId, ...fact, ...digests }, before);
  return fingerprinted(event, hex(sha256(Buffer.from(canonicalJson(event)))));
}

function fingerprintOf(event: OcsfEvent | undefined): string {
  const [attestation] = (event?.attestation_list ?? []) as readonly { fingerprint?: { value: string } }[];
  return attestation?.fingerprint?.value ?? '';
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
