import { type Database, type EventStore, schemasOf } from '@writ/event-store';
import { Alarm, Backoff } from './backoff.js';
import type { Bus, BusLog } from './bus.js';
import { factsTopicSpec } from './cloud-event.js';
import { DatabaseSession } from './database-session.js';
import { FactCarriage } from './fact-carriage.js';
import type { PublishedService } from './publishing.js';
import { CURSOR, heldCursor, readCursor } from './relay-cursor.js';

export interface RelayOptions extends PublishedService {
  /** Keeps one connection of its pool for leadership. */
  readonly database: Database;
  readonly store: EventStore;
  readonly bus: Bus;
  readonly log: BusLog;
}

const POLL_MS = 250;
/**
 * From the beginning of one batch to that of the next, unless more is waiting than a batch takes: what comes meanwhile
 * travels together. The first fact after a pause goes at once.
 */
const COLLECT_MS = 20;
/** How long a relay that does not lead waits before it tries again. */
const FOLLOW_MS = 500;

/**
 * Publishes a service's facts in the order of their positions, each at least once. Any number of relays may
 * run for one service: one leads, by a session lock; a deposed one that does not know it yet cannot move the
 * cursor, because each move names the epoch it follows.
 */
export class Relay {
  private readonly alarm = new Alarm();
  /** After a failure, and while facts collect; an append does not end it. */
  private readonly pause = new Alarm();
  private readonly backoff = new Backoff(100, 5_000);
  private readonly schema: string;
  private stopping = false;
  private running: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;

  constructor(private readonly options: RelayOptions) {
    this.schema = schemasOf(options.service).facts;
  }

  /**
   * Does not wait for bus or database: facts are durable before the relay sees them, so it may catch up
   * later.
   */
  start(): void {
    this.unlisten = this.options.store.onAppend(() => this.alarm.wake());
    this.running = this.run();
  }

  /** Waits for the batch in hand. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.unlisten?.();
    this.alarm.wake();
    this.pause.wake();
    await this.running;
  }

  /** Facts that are stored and not yet published; whoever leads. */
  async lag(): Promise<number> {
    // The cursor first: read after it, the head can only be further.
    const { pos } = await readCursor(this.options.database, this.schema);
    return (await this.options.store.head()) - pos;
  }

  /**
   * Publishes again everything after `pos`: for a bus that has lost records, or a consumer younger than the
   * bus remembers. Consumers drop what they have had.
   */
  async rewind(pos: number): Promise<void> {
    await this.options.database.query(
      `update ${this.schema}.cursor set pos = least(pos, $2), epoch = epoch + 1 where name = $1`,
      [CURSOR, pos],
    );
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      let session: DatabaseSession | undefined;
      try {
        session = await DatabaseSession.open(this.options.database);
        if (await this.elected(session)) await this.lead(session);
      } catch (error) {
        const pauseMs = this.backoff.nextMs();
        const { service, log } = this.options;
        log('warn', 'the relay could not publish, trying again', { service, pauseMs, error });
        if (!this.stopping) await this.pause.wait(pauseMs);
      } finally {
        session?.close();
      }
    }
  }

  /** Waits to lead; false when stopped first. */
  private async elected(session: DatabaseSession): Promise<boolean> {
    while (!this.stopping) {
      if (await session.tryLock(`writ-relay/${this.schema}`)) return true;
      await this.alarm.wait(FOLLOW_MS);
    }
    return false;
  }

  private async lead(session: DatabaseSession): Promise<void> {
    const { store, bus, service, database, log } = this.options;
    await bus.ensureTopics([factsTopicSpec(service)]);
    const publishing =
      (await bus.copying(this.options, database)) ?? new FactCarriage(this.options, store, bus);
    let cursor = await readCursor(database, this.schema);
    log('info', 'this relay leads', { service, pos: cursor.pos });
    while (!this.stopping) {
      const beganMs = performance.now();
      const published = await publishing.next(session, cursor);
      if (published === undefined) {
        await this.alarm.wait(POLL_MS);
        cursor = await heldCursor(session, this.schema);
        continue;
      }
      ({ cursor } = published);
      this.backoff.reset();
      const leftMs = COLLECT_MS - (performance.now() - beganMs);
      if (!published.isFull && leftMs > 0) await this.pause.wait(leftMs);
    }
  }
}
