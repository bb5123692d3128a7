import { randomUUID } from 'node:crypto';

/** Time and chance: the client's one door to either. Everything else receives one of these, so that a test can fix it. */
export interface Clock {
  /** Milliseconds since 1970 by the machine: what grpc-js compares deadlines with. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** UUID version 4. */
  newRequestId(): string;
  /** From 0 to less than 1; spreads repetitions, protects nothing. */
  fraction(): number;
  /** Runs again and again, never the first time at once, and keeps no process alive. Returns how to stop it. */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  newRequestId: randomUUID,
  fraction: Math.random,
  every(ms, run) {
    const timer = setInterval(run, ms).unref();
    return () => clearInterval(timer);
  },
};
