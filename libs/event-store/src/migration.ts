import type { Schemas } from './names.js';

/** One step forward of one area of tables; there is none back. */
export interface Migration {
  /** Whose tables: `event-store`, `event-bus`. */
  readonly area: string;
  /** 1, 2, 3… within the area. */
  readonly number: number;
  /** @param role the service's runtime role, quoted: what is made must be granted to it */
  sql(schemas: Schemas, role: string): string;
}
