import type { Failure } from './failure.js';

/** Calls for one question at most, the first included. */
export const ATTEMPTS_MAX = 5;
const FIRST_BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 1_000;

/**
 * How many milliseconds to wait before a question is asked again; undefined when it is not. Exponential with full jitter:
 * clients that lost the same engine come back spread. A wait that the engine asks for is kept, and spread behind it.
 * @param attempts calls made so far, from 1
 * @param leftMs what is left of the question's deadline
 * @param fraction from 0 to less than 1
 */
export function retryWaitMs(
  failure: Pick<Failure, 'remedy' | 'waitMs'>,
  { attempts, leftMs, fraction }: { attempts: number; leftMs: number; fraction: number },
): number | undefined {
  if (failure.remedy !== 'retry' || attempts >= ATTEMPTS_MAX) return undefined;
  const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), BACKOFF_MS_MAX) * fraction;
  const waitMs = (failure.waitMs ?? 0) + backoffMs;
  return waitMs < leftMs ? waitMs : undefined;
}
