import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { logLevel } from 'kafkajs';
import { logCreatorFor } from './kafkajs-guard.js';

interface Queue {
  pending: unknown[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}
const RequestQueue: new (options: object) => Queue = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue',
);

describe('kafkajs, corrected', () => {
  it('arms no timer while nothing waits, and one while something does', () => {
    const queue = new RequestQueue({ maxInFlightRequests: 1 });
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.pending.push({});
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });

  it('logs through our log', () => {
    const said: unknown[] = [];
    const write = logCreatorFor((...entry) => said.push(entry))?.(logLevel.INFO);
    const entry = {
      timestamp: '2026-09-01T09:00:00Z',
      logger: 'kafkajs',
      message: 'Crash',
      groupId: 'audit',
    };
    write?.({ namespace: 'Consumer', level: logLevel.ERROR, label: 'ERROR', log: entry });
    expect(said).toEqual([['error', 'kafkajs Consumer: Crash', { groupId: 'audit' }]]);
  });
});
