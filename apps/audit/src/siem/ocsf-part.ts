import type { Json } from '@writ/kernel';
import { type OcsfPart, userOf } from './ocsf.js';

type EntityPart = Extract<OcsfPart, { class: 'entityManagement' }>;
type DatastorePart = Extract<OcsfPart, { class: 'datastoreActivity' }>;
type UserPart = Extract<OcsfPart, { class: 'userManagement' }>;

/** Something is made, changed, stopped or let go. */
export function entity(
  activity: EntityPart['activity'],
  type: string,
  uid: string,
  message: string,
  more: Partial<Omit<EntityPart, 'class' | 'activity' | 'message'>> = {},
): EntityPart {
  const attributes = { entity: { uid, type }, ...more.attributes };
  const agentId = type === 'agent' ? uid : undefined;
  return { class: 'entityManagement', activity, message, agentId, ...more, attributes };
}

export function user(
  activity: UserPart['activity'],
  uid: string,
  message: string,
  attributes: UserPart['attributes'] = {},
): UserPart {
  return { class: 'userManagement', activity, message, attributes: { user: userOf(uid), ...attributes } };
}

export function datastore(
  activity: DatastorePart['activity'],
  databucket: string,
  message: string,
  more: Partial<Omit<DatastorePart, 'class' | 'activity' | 'message'>> = {},
): DatastorePart {
  const attributes = { databucket: { uid: databucket, type_id: 99, type: 'Writ vault' }, ...more.attributes };
  return { class: 'datastoreActivity', activity, message, ...more, attributes };
}

export function authentication(
  activity: 1 | 2 | 4,
  message: string,
  agentId: string,
  sessionId: string,
  attributes: OcsfPart['attributes'],
): OcsfPart {
  const service = { name: 'session-broker' };
  return {
    class: 'authentication',
    activity,
    message,
    agentId,
    sessionId,
    attributes: { user: userOf(agentId), service, ...attributes },
  };
}

/** `payment:pay` for each action of each detail. */
export function privilegesOf(
  details: readonly { readonly type: string; readonly actions: readonly string[] }[],
): Json {
  return details.flatMap(({ type, actions }) => actions.map((action) => `${type}:${action}`));
}

/** Undefined for a time that is none or that no calendar has. */
export function ms(time: Date | undefined): number | undefined {
  const at = time?.getTime();
  return at === undefined || Number.isNaN(at) ? undefined : at;
}
