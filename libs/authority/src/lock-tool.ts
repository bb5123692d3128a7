import type { Principal } from './lock-table.js';

/** What of an action a stop order on a tool may name. */
export interface Lockable {
  readonly type: string;
  readonly location?: string | undefined;
  readonly identifier?: string | undefined;
}

/**
 * The tools of an action. A lock on a tool names a type of action, a location, or what is acted on: a database role's id is the
 * identifier of a lease's action, and its name the location. Whoever asks a lock table MUST ask for all of them.
 */
export function toolsOf({ type, location = '', identifier = '' }: Lockable): readonly Principal[] {
  return [type, location, identifier].filter((id) => id !== '').map((id) => ({ kind: 'tool', id }));
}
