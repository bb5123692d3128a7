import type { AuthorizationDetail } from './detail.js';
import type { Limits } from './limits.js';

/** The most hops that agents may add below a mandate. */
export const MAX_DEPTH = 8;

/** What a mandate or a delegation gives. */
export interface Grant {
  /** In the words of the person at the root; the same at every hop. */
  readonly purpose: string;
  readonly details: readonly AuthorizationDetail[];
  readonly limits: Limits;
  /** From this moment on it gives nothing. */
  readonly expiresAt: Date;
  /** How many more hops may hang below, 0 to 8. */
  readonly maxDepth: number;
}
