import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { DecisionMade, type DeepPartial, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { canonicalJson } from '@writ/kernel';
import { factCodecs } from '../entry/entry.facts.js';
import type { LedgerRow } from '../entry/verify.js';
import type { OcsfEvent } from './ocsf.js';
import { eventOf } from './siem.background.js';

const agentId = 'agt_01K41M7JG0000000000000TEST';
const sessionId = 'ses_01K41M7JG0000000000000TEST';

function rowOf(type: string, payload: Uint8Array, over: Partial<LedgerRow> = {}): LedgerRow {
  return {
    index: 41,
    leaf: Buffer.alloc(32, 1),
    chain: Buffer.alloc(32, 2),
    record: Buffer.alloc(40),
    payload,
    salt: Buffer.alloc(16),
    source: 'policy-engine',
    pos: 9,
    eventId: '0199b1b2-0000-7000-8000-000000000001',
    type,
    atMs: 1_788_253_200_123,
    actor: agentId,
    cause: 'fact:registry/3',
    streamId: 'decision-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    subjectIds: [agentId],
    task: '',
    ...over,
  };
}

const eventFor = (row: LedgerRow, before = { uid: 'a-ledger/40', fingerprint: 'ab'.repeat(32) }) =>
  eventOf('a-ledger', row, Buffer.alloc(32, 3), before);
const decided = (over: DeepPartial<DecisionMade>) =>
  eventFor(
    rowOf('writ.policy.v1.DecisionMade', DecisionMade.encode(DecisionMade.fromPartial(over)).finish()),
  );

/** What OCSF 1.9.0 asks of each class beyond the base event. */
const requiredByClass: Readonly<Record<number, readonly string[]>> = {
  2004: ['finding_info'],
  3002: ['user', 'service'],
  3003: ['user', 'privileges'],
  3004: ['entity'],
  3007: ['user'],
  6003: ['actor', 'api', 'src_endpoint'],
  6005: ['actor', 'databucket', 'src_endpoint'],
};
const requiredByAll = [
  'class_uid',
  'category_uid',
  'activity_id',
  'type_uid',
  'severity_id',
  'time',
  'metadata',
];

describe('a fact as a security event', () => {
  it.each(Object.keys(factCodecs))('has what OCSF asks for: %s', (type) => {
    const event = eventFor(rowOf(type, new Uint8Array()));
    const classUid = event.class_uid as number;
    for (const name of [...requiredByAll, ...(requiredByClass[classUid] ?? ['an unknown class'])])
      expect(event).toHaveProperty(name);
    expect(event.type_uid).toBe(classUid * 100 + (event.activity_id as number));
    expect(event.category_uid).toBe(Math.floor(classUid / 1000));
    expect(event.activity_name).not.toBe('');
    expect(event.metadata).toMatchObject({
      version: '1.9.0',
      event_code: type,
      sequence: 41,
      uid: 'a-ledger/41',
    });
  });

  it('names the agent, its session and the decision with its policy', () => {
    const event = decided({
      outcome: Outcome.OUTCOME_DENY,
      agentId,
      sessionId,
      policySetId: 'pol_1',
      policySetVersion: 3,
      reasonCode: 'MANDATE_AMOUNT',
      action: { type: 'payment', name: 'pay', identifier: 'invoice-7' },
    });
    expect(event).toMatchObject({
      class_uid: 6003,
      activity_id: 99,
      activity_name: 'payment.pay',
      severity: 'Medium',
      status: 'Failure',
      ai_agent: { uid: agentId, instance_uid: sessionId },
      actor: { user: { uid: agentId } },
      authorizations: [{ decision: 'deny', policy: { uid: 'pol_1', version: '3' } }],
      action_id: 2,
      status_code: 'MANDATE_AMOUNT',
      trace: { uid: '0af7651916cd43dd8448eb211c80319c' },
    });
    expect(decided({ outcome: Outcome.OUTCOME_ALLOW })).toMatchObject({ action_id: 1, status: 'Success' });
    expect(decided({ outcome: Outcome.OUTCOME_APPROVAL_NEEDED })).toMatchObject({ action_id: 99 });
    expect(decided({})).toMatchObject({ action_id: 2, authorizations: [{ decision: 'deny' }] });
  });

  it('keeps the proof: index, leaf and chain of its entry', () => {
    expect(decided({}).unmapped).toEqual({
      writ: {
        ledger_id: 'a-ledger',
        index: 41,
        leaf: '01'.repeat(32),
        chain: '02'.repeat(32),
        chain_before: '03'.repeat(32),
        source: 'policy-engine',
        pos: 9,
        type: 'writ.policy.v1.DecisionMade',
        subject_ids: [agentId],
      },
    });
  });

  it('carries a fingerprint over its canonical JSON and the fingerprint of the event before it', () => {
    const event = decided({ reason: 'because' });
    const [attestation] = event.attestation_list as readonly [OcsfEvent];
    expect(attestation.prev_event).toMatchObject({
      uid: 'a-ledger/40',
      fingerprint: { value: 'ab'.repeat(32) },
    });
    const { fingerprint, ...unsigned } = attestation;
    const bytes = canonicalJson({ ...event, attestation_list: [unsigned] });
    expect(fingerprint).toMatchObject({ value: createHash('sha256').update(bytes).digest('hex') });
  });

  it('has no event before it when it is the first', () => {
    const event = eventFor(rowOf('opaque', new Uint8Array()), { uid: '', fingerprint: '' });
    expect((event.attestation_list as readonly OcsfEvent[])[0]).not.toHaveProperty('prev_event');
  });

  it('is a finding of high severity when the record was no known fact', () => {
    const event = eventFor(rowOf('opaque', Buffer.from('{}'), { actor: '', traceparent: '' }));
    expect(event).toMatchObject({ class_uid: 2004, severity: 'High' });
    expect(event).not.toHaveProperty('actor');
    expect(event).not.toHaveProperty('trace');
  });

  it('fits everywhere, however long its fact is', () => {
    const payload = DecisionMade.encode(
      DecisionMade.fromPartial({
        reason: `${'x'.repeat(998)}😀${'\u0001'.repeat(300_000)}`,
        policyIds: Array.from({ length: 5_000 }, (_, at) => `policy-${at}`),
      }),
    ).finish();
    const subjectIds = Array.from({ length: 5_000 }, () => agentId);
    const event = eventFor(rowOf('writ.policy.v1.DecisionMade', payload, { subjectIds }));
    expect(Buffer.byteLength(canonicalJson(event))).toBeLessThan(100_000);
    expect(event.metadata).toMatchObject({ is_truncated: true });
  });

  it('is made of a fact with a time that no calendar has', () => {
    const full = SessionOpened.encode(
      SessionOpened.fromPartial({ sessionId, expireTime: new Date(8.64e15) }),
    );
    const payload = Buffer.from(full.finish());
    payload[payload.length - 1] = 0x7f;
    expect(eventFor(rowOf('writ.session.v1.SessionOpened', payload))).toMatchObject({ class_uid: 3002 });
  });
});
