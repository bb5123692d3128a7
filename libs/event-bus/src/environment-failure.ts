import { Refusal } from '@writ/kernel';

const DEPTH_MAX = 10;

/** Node's names for a peer that cannot be reached, and for a machine that is out of something. */
const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EMFILE',
  'ENOSPC',
]);

/**
 * PostgreSQL error classes (appendix A) that say nothing about the statement: 08 connection, 40 rollback by
 * deadlock or serialization, 53 resources, 55P03 lock not available, 57 operator intervention, 58 system,
 * 25P03 and 25P04 timeouts.
 */
const sqlStates = /^(08...|40...|53...|55P03|57...|58...|25P03|25P04)$/;

/** What `pg` says without a code when a connection is gone or none could be had. */
const messages =
  /connection terminated|connection error and is not queryable|timeout exceeded when trying to connect|client was closed|session is lost/i;

/**
 * Whether `error` comes from the world around (database down, lock taken, disk full), so that the same work
 * may succeed later, rather than from the work itself. Looks through causes.
 */
export function isEnvironmentFailure(error: unknown): boolean {
  let at: unknown = error;
  for (let depth = 0; isObject(at) && depth < DEPTH_MAX; depth += 1) {
    if (at instanceof Refusal) return at.kind === 'unavailable';
    const { code, message, cause } = at;
    if (typeof code === 'string' && (systemCodes.has(code) || sqlStates.test(code))) return true;
    if (typeof message === 'string' && messages.test(message)) return true;
    at = cause;
  }
  return false;
}

/** Not `instanceof Error`: Node's own errors may come from another realm than ours. */
function isObject(value: unknown): value is { code?: unknown; message?: unknown; cause?: unknown } {
  return typeof value === 'object' && value !== null;
}
