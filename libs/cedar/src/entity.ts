import type { EntityUid } from './entity-uid.js';
import { CedarRecord, equal, type Value } from './value.js';

export type Attributes = ReadonlyMap<string, Value>;

/** An entity as policies see it. */
export interface Entity {
  readonly uid: EntityUid;
  readonly attributes: Attributes;
  readonly tags: Attributes;
  readonly parents: readonly EntityUid[];
}

/** Whether two descriptions of one entity say the same. */
export function sameEntity(left: Entity, right: Entity): boolean {
  const parents = new Set(left.parents.map(({ key }) => key));
  return (
    sameAttributes(left.attributes, right.attributes) &&
    sameAttributes(left.tags, right.tags) &&
    new Set(right.parents.map(({ key }) => key)).size === parents.size &&
    right.parents.every(({ key }) => parents.has(key))
  );
}

function sameAttributes(left: Attributes, right: Attributes): boolean {
  return equal(new CedarRecord(left), new CedarRecord(right));
}
