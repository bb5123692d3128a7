import { describe, expect, it } from '@jest/globals';
import type { StoredFact } from '@writ/event-store';
import { factOf, factsTopic, recordOf, sourceOfTopic, Undecodable } from './cloud-event.js';

const stored: StoredFact = {
  pos: 4711,
  id: '01920000-0000-7000-8000-000000000001',
  streamId: 'agent:agt_1',
  version: 3,
  type: 'AgentSuspended',
  partKey: 'agt_1',
  at: new Date('2026-09-01T09:00:00.123Z'),
  meta: {
    actor: 'psn_1',
    cause: 'call-0',
    callId: 'call-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=1',
  },
  data: Uint8Array.of(8, 1),
};
const topic = factsTopic('session-broker');
const published = recordOf('session-broker', 'session', stored);
const arrived = { ...published, partition: 5, offset: 9 };

describe('a fact on the bus', () => {
  it('arrives as it was stored, with the bytes untouched', () => {
    const { meta, type, ...envelope } = stored;
    expect(factOf(topic, arrived)).toEqual({
      ...envelope,
      ...meta,
      source: 'session-broker',
      type,
      fullType: 'writ.session.v1.AgentSuspended',
    });
    expect(published.value).toBe(stored.data);
  });

  it('is a CloudEvent in binary mode', () => {
    expect(published).toEqual({
      key: 'agt_1',
      value: stored.data,
      headers: {
        'content-type': 'application/protobuf',
        ce_specversion: '1.0',
        ce_id: stored.id,
        ce_source: '/writ/session-broker',
        ce_type: 'writ.session.v1.AgentSuspended',
        ce_dataschema: 'writ.session.v1.AgentSuspended',
        ce_time: '2026-09-01T09:00:00.123Z',
        ce_partitionkey: 'agt_1',
        ce_authtype: 'user',
        ce_authid: 'psn_1',
        cause: 'call-0',
        callid: 'call-1',
        pos: '4711',
        sv: 'agent:agt_1:3',
        traceparent: stored.meta.traceparent,
        tracestate: 'vendor=1',
      },
    });
  });

  it.each([
    ['content-type', 'application/json'],
    ['ce_specversion', '0.3'],
    ['ce_source', '/writ/vault'],
    ['ce_type', 'com.example.Thing'],
    ['ce_time', 'yesterday'],
    ['ce_time', '2026-13-41T09:00:00Z'],
    ['ce_id', '42'],
    ['ce_partitionkey', 'agt_2'],
    ['ce_authid', ''],
    ['pos', '0'],
    ['pos', '-1'],
    ['pos', '9007199254740993'],
    ['sv', 'agent:agt_1'],
  ])('is no fact when `%s` is `%s`', (name, value) => {
    const broken = { ...arrived, headers: { ...arrived.headers, [name]: value } };
    expect(() => factOf(topic, broken)).toThrow(Undecodable);
    const { [name]: _, ...without } = arrived.headers;
    expect(() => factOf(topic, { ...arrived, headers: without })).toThrow(`header \`${name}\` is missing`);
  });

  it('travels on a topic named after its service, and on no other', () => {
    expect(sourceOfTopic(topic)).toBe('session-broker');
    for (const other of ['writ.locks.v1', 'writ..facts.v1', 'x.writ.vault.facts.v1'])
      expect(() => sourceOfTopic(other)).toThrow('is not a topic of facts');
  });
});
