import type { Hop } from '@writ/authority';
import type { Entity } from './authzen.js';

/**
 * What a search looks through: the verbs and the things that the grants of one chain name one by one. A place that ends in
 * `/*` names no thing, so nothing below it is found.
 */

/** So many candidates are looked at for one page, whether they become results or not. */
export const EXAMINED_MAX = 200;

export interface Thing {
  readonly id: string;
  /** Where the grant says it is; undefined where it does not narrow the place. */
  readonly location: string | undefined;
}

/** Every verb that any hop names for a type, sorted. */
export function verbsOf(hops: readonly Hop[], type: string): readonly string[] {
  const verbs = detailsOf(hops, type).flatMap(({ actions }) => actions);
  return [...new Set(verbs)].sort();
}

/** Everything that any hop names for a type and a verb, sorted by `thingKey`. */
export function thingsOf(hops: readonly Hop[], type: string, verb: string): readonly Thing[] {
  const things = detailsOf(hops, type)
    .filter(({ actions }) => actions.includes(verb))
    .flatMap(({ identifier, locations }): Thing[] => {
      if (identifier === undefined || isPattern(identifier)) return [];
      if (locations === undefined) return [{ id: identifier, location: undefined }];
      return locations.filter((one) => !isPattern(one)).map((location) => ({ id: identifier, location }));
    });
  const byKey = new Map(things.map((thing) => [thingKey(thing), thing]));
  return [...byKey.keys()].sort().flatMap((key) => byKey.get(key) ?? []);
}

/** Sorts things; no place holds a line break. */
export function thingKey({ id, location }: Thing): string {
  return `${id}\n${location ?? ''}`;
}

export function thingEntity(type: string, { id, location }: Thing): Entity & { properties?: object } {
  return { type, id, ...(location !== undefined && { properties: { location } }) };
}

export interface Found<Result> {
  readonly results: readonly Result[];
  /** Where the next page begins; undefined when every candidate was looked at. */
  readonly last: string | undefined;
}

/**
 * Looks at candidates behind `after`, in order, until a page is full or enough were looked at. A page may hold fewer
 * results than asked for, even none, and have a next one.
 */
export function searched<Candidate, Result>(o: {
  /** In the order of their keys. */
  readonly candidates: Iterable<Candidate>;
  readonly key: (candidate: Candidate) => string;
  /** Where to go on behind a candidate that became a result; its key, unless others would give the same result. */
  readonly behind?: (candidate: Candidate) => string;
  readonly after: string | undefined;
  readonly size: number;
  readonly examine: (candidate: Candidate) => Result | undefined;
}): Found<Result> {
  const results: Result[] = [];
  let examined = 0;
  let last = o.after;
  for (const candidate of o.candidates) {
    const key = o.key(candidate);
    if (last !== undefined && key <= last) continue;
    if (results.length === o.size || examined === EXAMINED_MAX) return { results, last };
    const result = o.examine(candidate);
    if (result !== undefined) results.push(result);
    examined += 1;
    last = result === undefined ? key : (o.behind ?? o.key)(candidate);
  }
  return { results, last: undefined };
}

/** A session of an agent, as far as a search for agents has to tell them apart. */
export interface AgentSession {
  readonly id: string;
  readonly agentId: string;
}

/** Sorts sessions by agent. */
export function sessionKey({ agentId, id }: AgentSession): string {
  return `${agentId}\n${id}`;
}

/** Behind every session of the agent: ids hold no character above `~`. */
export function behindAgent({ agentId }: AgentSession): string {
  return `${agentId}\n~`;
}

/**
 * Sessions in the order of their keys, from the agent on that `after` speaks of. Only those that somebody comes to are put
 * in order.
 */
export function* sessionsInOrder<Session extends AgentSession>(
  sessions: Iterable<Session>,
  after: string | undefined,
): Iterable<Session> {
  const from = after?.split('\n')[0] ?? '';
  const byAgent = new Map<string, Session[]>();
  for (const session of sessions) {
    if (session.agentId < from) continue;
    const known = byAgent.get(session.agentId);
    if (known === undefined) byAgent.set(session.agentId, [session]);
    else known.push(session);
  }
  for (const agentId of [...byAgent.keys()].sort())
    yield* (byAgent.get(agentId) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
}

function detailsOf(hops: readonly Hop[], type: string) {
  return hops.flatMap(({ grant }) => grant.details).filter((detail) => detail.type === type);
}

function isPattern(place: string): boolean {
  return place.endsWith('/*');
}
