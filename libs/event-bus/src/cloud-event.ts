import type { StoredFact } from '@writ/event-store';
import type { BusRecord, OutgoingRecord } from './bus.js';

/**
 * A fact of some service as it came off the bus. `(source, pos)` is its identity, whatever record carried it.
 */
export interface ConsumedFact {
  /** The service's name: `registry`. */
  readonly source: string;
  /** Gapless position in the source's store, from 1. */
  readonly pos: number;
  readonly streamId: string;
  readonly version: number;
  /** `AgentSuspended` */
  readonly type: string;
  /** `writ.registry.v1.AgentSuspended` */
  readonly fullType: string;
  /** UUIDv7 */
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  readonly cause: string;
  readonly callId: string;
  readonly partKey: string;
  /** W3C trace context of the call that appended the fact, empty when there was none. */
  readonly traceparent: string;
  readonly tracestate: string;
  readonly data: Uint8Array;
}

/** A record that is no fact, and why. */
export class Undecodable extends Error {
  override name = 'Undecodable';
}

/** Partitions of every facts topic: divides by 2, 3, 4 and 6, and never changes. */
export const FACTS_PARTITIONS = 12;
const DAY_MS = 24 * 60 * 60 * 1000;
const FACTS_RETENTION_MS = 14 * DAY_MS;

export function factsTopic(service: string): string {
  return `writ.${service}.facts.v1`;
}

export function factsTopicSpec(service: string) {
  return { topic: factsTopic(service), partitions: FACTS_PARTITIONS, retentionMs: FACTS_RETENTION_MS };
}

/** The service whose facts `topic` carries. */
export function sourceOfTopic(topic: string): string {
  const source = /^writ\.([a-z][a-z0-9-]*)\.facts\.v1$/.exec(topic)?.[1];
  if (source === undefined) throw new Error(`\`${topic}\` is not a topic of facts`);
  return source;
}

/**
 * CloudEvents 1.0 in Kafka's binary mode (cloudevents/spec, kafka-protocol-binding 3.2): the body is the
 * stored bytes, unchanged. `ce_authid` and `ce_authtype` are the auth context extension, `ce_partitionkey`
 * the partitioning extension.
 */
export function recordOf(service: string, area: string, fact: StoredFact): OutgoingRecord {
  const fullType = `writ.${area}.v1.${fact.type}`;
  const headers: Record<string, string> = {
    'content-type': 'application/protobuf',
    ce_specversion: '1.0',
    ce_id: fact.id,
    ce_source: `/writ/${service}`,
    ce_type: fullType,
    ce_dataschema: fullType,
    ce_time: fact.at.toISOString(),
    ce_partitionkey: fact.partKey,
    ce_authtype: authTypeOf(fact.meta.actor),
    ce_authid: fact.meta.actor,
    cause: fact.meta.cause,
    callid: fact.meta.callId,
    pos: String(fact.pos),
    sv: `${fact.streamId}:${fact.version}`,
  };
  if (fact.meta.traceparent !== '') headers.traceparent = fact.meta.traceparent;
  if (fact.meta.tracestate !== '') headers.tracestate = fact.meta.tracestate;
  return { key: fact.partKey, headers, value: fact.data };
}

/** @throws Undecodable naming the header that is missing or wrong */
export function factOf(topic: string, record: BusRecord): ConsumedFact {
  const source = sourceOfTopic(topic);
  const fullType = header(record, 'ce_type', /^writ\.[a-z_]+\.v1\.[A-Z][A-Za-z0-9]*$/);
  const [, streamId, version] = match(record, 'sv', /^(.+):([1-9]\d{0,9})$/);
  const pos = Number(header(record, 'pos', /^[1-9]\d{0,15}$/));
  const at = new Date(header(record, 'ce_time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/));
  header(record, 'content-type', /^application\/protobuf$/);
  header(record, 'ce_specversion', /^1\.0$/);
  if (header(record, 'ce_source', /^\/writ\/./) !== `/writ/${source}`)
    throw new Undecodable(`\`ce_source\` is not the source of \`${topic}\``);
  if (header(record, 'ce_partitionkey', /^/) !== record.key)
    throw new Undecodable('`ce_partitionkey` differs from the key');
  if (!Number.isSafeInteger(pos)) throw new Undecodable('`pos` is beyond 2^53');
  if (Number.isNaN(at.getTime())) throw new Undecodable('`ce_time` is no time');
  return {
    source,
    pos,
    streamId: streamId ?? '',
    version: Number(version),
    type: fullType.slice(fullType.lastIndexOf('.') + 1),
    fullType,
    id: header(record, 'ce_id', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
    at,
    actor: header(record, 'ce_authid', /./),
    cause: record.headers.cause ?? '',
    callId: record.headers.callid ?? '',
    partKey: record.key,
    traceparent: record.headers.traceparent ?? '',
    tracestate: record.headers.tracestate ?? '',
    data: record.value,
  };
}

function header(record: BusRecord, name: string, pattern: RegExp): string {
  return match(record, name, pattern).input;
}

function match(record: BusRecord, name: string, pattern: RegExp): RegExpExecArray {
  const value = record.headers[name];
  if (value === undefined) throw new Undecodable(`header \`${name}\` is missing`);
  const found = pattern.exec(value);
  if (found === null) throw new Undecodable(`header \`${name}\` is malformed`);
  return found;
}

/** The kinds of the CloudEvents auth context extension. */
function authTypeOf(actor: string): string {
  if (actor.startsWith('psn_')) return 'user';
  if (actor === 'bootstrap') return 'system';
  return /^(agt_|service\/|enforcement-point\/)/.test(actor) ? 'service_account' : 'unknown';
}
