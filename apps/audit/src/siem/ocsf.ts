import type { Json } from '@writ/kernel';

/**
 * Events in the form of the Open Cybersecurity Schema Framework 1.9.0 (schema.ocsf.io), with the profiles
 * `ai_operation`,
 * `record_integrity`, `security_control` and `trace`.
 */
export type OcsfEvent = { readonly [attribute: string]: Json };

export const OCSF_VERSION = '1.9.0';

interface OcsfClass {
  readonly uid: number;
  readonly name: string;
  readonly categoryUid: number;
  readonly category: string;
  readonly activities: Readonly<Record<number, string>>;
}

const iam = { categoryUid: 3, category: 'Identity & Access Management' };
const application = { categoryUid: 6, category: 'Application Activity' };

/** The classes that facts are mapped to, each with the activities that are used. 99 is OCSF's "Other". */
export const ocsfClasses = {
  authentication: {
    ...iam,
    uid: 3002,
    name: 'Authentication',
    activities: { 1: 'Logon', 2: 'Logoff', 4: 'Service Ticket Request', 5: 'Service Ticket Renew' },
  },
  authorizeSession: {
    ...iam,
    uid: 3003,
    name: 'Authorize Session',
    activities: { 1: 'Assign Privileges' },
  },
  entityManagement: {
    ...iam,
    uid: 3004,
    name: 'Entity Management',
    activities: {
      1: 'Create',
      3: 'Update',
      4: 'Delete',
      6: 'Enroll',
      8: 'Enable',
      9: 'Disable',
      10: 'Activate',
      11: 'Deactivate',
      12: 'Suspend',
      13: 'Resume',
    },
  },
  userManagement: {
    ...iam,
    uid: 3007,
    name: 'User Management',
    activities: {
      1: 'Create',
      5: 'Disable',
      16: 'Assign Roles',
      18: 'Add Programmatic Credentials',
      19: 'Remove Programmatic Credentials',
    },
  },
  apiActivity: {
    ...application,
    uid: 6003,
    name: 'API Activity',
    activities: { 2: 'Read', 99: 'Other' },
  },
  datastoreActivity: {
    ...application,
    uid: 6005,
    name: 'Datastore Activity',
    activities: { 1: 'Read', 2: 'Update', 3: 'Connect', 7: 'Delete' },
  },
  detectionFinding: {
    categoryUid: 2,
    category: 'Findings',
    uid: 2004,
    name: 'Detection Finding',
    activities: { 1: 'Create' },
  },
} as const satisfies Readonly<Record<string, OcsfClass>>;

export type OcsfClassName = keyof typeof ocsfClasses;

const severities = { Informational: 1, Low: 2, Medium: 3, High: 4, Critical: 5 } as const;
const statuses = { Success: 1, Failure: 2 } as const;

/** What a fact's row in the table says; everything else is the same for all facts. */
export type OcsfPart = {
  [Name in OcsfClassName]: {
    readonly class: Name;
    readonly activity: keyof (typeof ocsfClasses)[Name]['activities'];
    /** The activity in the source's words, for 99. */
    readonly activityName?: string;
    readonly severity?: keyof typeof severities;
    readonly status?: keyof typeof statuses;
    readonly message: string;
    /** The agent that acted or that it was done to. */
    readonly agentId?: string;
    readonly sessionId?: string;
    /** What the class asks for beyond the base. Undefined members are left out. */
    readonly attributes: { readonly [attribute: string]: Json | undefined };
  };
}[OcsfClassName];

/** Where an event comes from, and the ledger's proof of it. Digests are hexadecimal. */
export interface OcsfOrigin {
  readonly ledgerId: string;
  readonly index: number;
  readonly leaf: string;
  readonly chain: string;
  readonly chainBefore: string;
  readonly source: string;
  readonly pos: number;
  readonly eventId: string;
  readonly type: string;
  readonly atMs: number;
  readonly actor: string;
  readonly cause: string;
  readonly traceparent: string;
  readonly subjectIds: readonly string[];
}

/** The event before it in the same sink, which this one names: leaving one out shows in the next. */
export interface PreviousEvent {
  readonly uid: string;
  /** Empty for the first. */
  readonly fingerprint: string;
}

/**
 * The event without its fingerprint. `fingerprinted` adds it: SHA-256 over the canonical JSON (RFC 8785) of
 * what this answers, as `attestation` of OCSF says.
 */
export function ocsfEvent(part: OcsfPart, origin: OcsfOrigin, before: PreviousEvent): OcsfEvent {
  const kind: OcsfClass = ocsfClasses[part.class];
  const severity = part.severity ?? 'Informational';
  const status = part.status ?? 'Success';
  const activity = part.activityName ?? kind.activities[part.activity] ?? 'Other';
  return bounded({
    class_uid: kind.uid,
    class_name: kind.name,
    category_uid: kind.categoryUid,
    category_name: kind.category,
    activity_id: part.activity,
    activity_name: activity,
    type_uid: kind.uid * 100 + part.activity,
    type_name: `${kind.name}: ${activity}`,
    severity_id: severities[severity],
    severity,
    status_id: statuses[status],
    status,
    time: origin.atMs,
    message: part.message,
    metadata: metadataOf(origin),
    actor: actorOf(origin.actor),
    src_endpoint: { name: origin.source, type_id: 99, type: 'Writ service' },
    ai_agent: part.agentId
      ? present({ uid: part.agentId, instance_uid: part.sessionId || undefined, type_id: 0 })
      : undefined,
    trace: traceOf(origin.traceparent),
    attestation_list: [attestation(origin, before)],
    ...part.attributes,
    unmapped: { writ: provenOf(origin) },
  });
}

/** @param value lower-case hexadecimal SHA-256 of the event's canonical JSON */
export function fingerprinted(event: OcsfEvent, value: string): OcsfEvent {
  const [unsigned] = event.attestation_list as readonly OcsfEvent[];
  return { ...event, attestation_list: [{ ...unsigned, fingerprint: fingerprint(value) }] };
}

export function uidOf(ledgerId: string, index: number): string {
  return `${ledgerId}/${index}`;
}

const TEXT_MAX = 1_000;
const LIST_MAX = 64;

/**
 * Facts may be long; an event has to fit everywhere (1 MiB). What is cut is whole in the ledger, under its
 * index.
 */
function bounded(members: { readonly [attribute: string]: Json | undefined }): OcsfEvent {
  let truncated = false;
  const cut = (value: Json): Json => {
    if (typeof value === 'string') {
      truncated ||= value.length > TEXT_MAX;
      return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX - 1).toWellFormed()}…` : value;
    }
    if (Array.isArray(value)) {
      truncated ||= value.length > LIST_MAX;
      return value.slice(0, LIST_MAX).map(cut);
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, cut(member)]));
  };
  const event = cut(present(members)) as { [attribute: string]: Json };
  if (truncated) event.metadata = { ...(event.metadata as OcsfEvent), is_truncated: true };
  return event;
}

/** A person or agent as OCSF's `user`. */
export function userOf(id: string): Json {
  if (id.startsWith('agt_')) return { uid: id, type_id: 99, type: 'AI agent' };
  return { uid: id, type_id: 1, type: 'User' };
}

/** Leaves out what is not there: JSON has no undefined. */
export function present(members: { readonly [attribute: string]: Json | undefined }): OcsfEvent {
  const there = Object.entries(members).filter((member): member is [string, Json] => member[1] !== undefined);
  return Object.fromEntries(there);
}

function metadataOf({ ledgerId, index, eventId, source, cause, type }: OcsfOrigin): Json {
  return {
    version: OCSF_VERSION,
    product: { name: 'Writ', vendor_name: 'Writ', feature: { name: source } },
    profiles: ['ai_operation', 'record_integrity', 'security_control', 'trace'],
    uid: uidOf(ledgerId, index),
    original_event_uid: eventId,
    event_code: type,
    sequence: index,
    log_name: 'ledger',
    correlation_uid: cause,
  };
}

function actorOf(actor: string): Json | undefined {
  if (actor === '') return undefined;
  if (/^(psn|agt)_/.test(actor)) return { user: userOf(actor) };
  return { app_name: actor, app_uid: actor };
}

function traceOf(traceparent: string): Json | undefined {
  const [, traceId, spanId] = traceparent.split('-');
  return traceId && spanId ? { uid: traceId, span: { uid: spanId } } : undefined;
}

function attestation({ ledgerId, index }: OcsfOrigin, before: PreviousEvent): Json {
  const previous =
    before.fingerprint === '' ? undefined : { uid: before.uid, fingerprint: fingerprint(before.fingerprint) };
  return present({
    uid: uidOf(ledgerId, index),
    authority_uid: 'writ/audit',
    chain_uid: ledgerId,
    prev_event: previous,
  });
}

function fingerprint(value: string): Json {
  return {
    algorithm_id: 3,
    algorithm: 'SHA-256',
    value,
    encoding_id: 1,
    encoding: 'Hex',
    serialization_id: 2,
    serialization: 'JCS',
  };
}

/** The ledger's own proof: chain = SHA-256(0x02 ‖ chain_before ‖ leaf), checkable from the events alone. */
function provenOf(origin: OcsfOrigin): Json {
  const { ledgerId, index, leaf, chain, chainBefore, source, pos, type, subjectIds } = origin;
  return {
    ledger_id: ledgerId,
    index,
    leaf,
    chain,
    chain_before: chainBefore,
    source,
    pos,
    type,
    subject_ids: subjectIds,
  };
}
