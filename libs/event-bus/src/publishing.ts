import type { DatabaseSession } from './database-session.js';
import type { Cursor } from './relay-cursor.js';

/** Facts per batch. */
export const BATCH_FACTS = 500;

/** One batch that was published. */
export interface Published {
  readonly cursor: Cursor;
  /** Whether more facts may have been waiting than one batch takes. */
  readonly isFull: boolean;
}

/** How the facts behind a cursor get onto the bus. */
export interface Publishing {
  /**
   * Publishes the next batch in the order of positions and moves the cursor, which `session` holds. Answers undefined when
   * there is no fact.
   */
  next(session: DatabaseSession, cursor: Cursor): Promise<Published | undefined>;
}

export interface PublishedService {
  /** `session-broker` */
  readonly service: string;
  /** The proto area of its facts: `session` in `writ.session.v1`. */
  readonly area: string;
}
