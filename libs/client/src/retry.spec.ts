import { describe, expect, it } from '@jest/globals';
import { ATTEMPTS_MAX, retryWaitMs } from './retry.js';

const again = { remedy: 'retry' } as const;
const half = { attempts: 1, leftMs: 10_000, fraction: 0.5 };

describe('a question whose call failed', () => {
  it.each(['none', 'apart'] as const)('is not asked again when the remedy is %s', (remedy) =>
    expect(retryWaitMs({ remedy }, half)).toBeUndefined(),
  );

  it('waits twice as long each time, and anything from nothing to that', () => {
    const waits = [1, 2, 3, 4].map((attempts) => retryWaitMs(again, { ...half, attempts }));
    expect(waits).toEqual([25, 50, 100, 200]);
    expect(retryWaitMs(again, { ...half, fraction: 0 })).toBe(0);
  });

  it('is asked five times at most', () => {
    expect(retryWaitMs(again, { ...half, attempts: ATTEMPTS_MAX - 1 })).toBeDefined();
    expect(retryWaitMs(again, { ...half, attempts: ATTEMPTS_MAX })).toBeUndefined();
    expect(ATTEMPTS_MAX).toBe(5);
  });

  it('waits as long as the engine asks, and its own wait behind that', () =>
    expect(retryWaitMs({ ...again, waitMs: 1_000 }, half)).toBe(1_025));

  it('is not asked again when its time would be over before', () => {
    expect(retryWaitMs(again, { ...half, leftMs: 25 })).toBeUndefined();
    expect(retryWaitMs(again, { ...half, leftMs: 26 })).toBe(25);
    expect(retryWaitMs({ ...again, waitMs: 1_000 }, { ...half, leftMs: 1_000 })).toBeUndefined();
    expect(retryWaitMs(again, { ...half, leftMs: -1, fraction: 0 })).toBeUndefined();
  });
});
