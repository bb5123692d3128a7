import { createHash } from 'node:crypto';
import { base64Url, type Call, type Caller, formatId, ULID_CHANCE_BYTES } from '@writ/kernel';

/** When every test call is made, unless it says otherwise. */
export const testTime = new Date('2026-09-01T09:00:00.000Z');

let count = 0;

/** A call at a fixed time, with ids that count up from one in each test file. */
export function testCall(overrides: Partial<Call> = {}): Call {
  const at = overrides.at ?? testTime;
  const caller = overrides.caller ?? testCaller;
  const requestId = overrides.requestId ?? '';
  return {
    callId: uuid(at, 4),
    at,
    actor: caller.id,
    caller,
    cause: '',
    requestId,
    requestHash: requestId === '' ? '' : testRequestHash('a request'),
    traceparent: '',
    tracestate: '',
    deadlineMs: 2_000,
    newId: (kind) => formatId(kind, at.getTime(), nextChance()),
    newEventId: () => uuid(at, 7),
    ...overrides,
  };
}

/** Who makes a test call, unless it says otherwise. */
export const testCaller: Caller = {
  kind: 'person',
  id: 'psn_01K41M7JG0000000000000TEST',
  spiffeId: 'spiffe://writ.test/person/psn_01K41M7JG0000000000000TEST',
  certificateSha256: testRequestHash('a certificate'),
};

/** base64url SHA-256 of a text that stands for a request. */
export function testRequestHash(text: string): string {
  return base64Url(createHash('sha256').update(text).digest());
}

function nextChance(): Uint8Array {
  count += 1;
  const chance = Buffer.alloc(ULID_CHANCE_BYTES);
  chance.writeUIntBE(count, ULID_CHANCE_BYTES - 6, 6);
  return chance;
}

function uuid(at: Date, version: 4 | 7): string {
  count += 1;
  const time = at.getTime().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}000-8000-${count.toString(16).padStart(12, '0')}`;
}
