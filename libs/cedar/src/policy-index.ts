import type { Frame } from './frame.js';
import type { Constraint, Scope } from './scope.js';

/** What the index holds: anything with a scope. */
export interface Scoped {
  readonly scope: Scope;
}

/** Places by the entity that a constraint names, by the type it asks for, and one for what it leaves open. */
class Dimension<Place> {
  readonly #byKey = new Map<string, Place>();
  readonly #byType = new Map<string, Place>();
  #open: Place | undefined;

  constructor(
    private readonly variable: keyof Scope,
    private readonly empty: () => Place,
  ) {}

  placesFor({ keys, type }: Constraint): readonly Place[] {
    if (keys !== undefined) return keys.map((key) => this.#place(this.#byKey, key));
    if (type !== undefined) return [this.#place(this.#byType, type)];
    this.#open ??= this.empty();
    return [this.#open];
  }

  #place(places: Map<string, Place>, key: string): Place {
    const known = places.get(key);
    if (known !== undefined) return known;
    const place = this.empty();
    places.set(key, place);
    return place;
  }

  /** Every place whose constraint may admit the entity of a request, each once. */
  find(frame: Frame): readonly Place[] {
    const { key, type } = frame[this.variable];
    const found: Place[] = [];
    if (this.#byKey.size > 0) {
      const own = this.#byKey.get(key);
      if (own !== undefined) found.push(own);
      this.#findAncestors(frame, key, found);
    }
    if (this.#byType.size > 0) {
      const place = this.#byType.get(type);
      if (place !== undefined) found.push(place);
    }
    if (this.#open !== undefined) found.push(this.#open);
    return found;
  }

  #findAncestors({ entities }: Frame, key: string, found: Place[]): void {
    const ancestors = entities.ancestorKeys(key);
    if (ancestors.length > this.#byKey.size) {
      const among = entities.ancestors(key);
      for (const [named, place] of this.#byKey) if (among.has(named)) found.push(place);
      return;
    }
    for (const ancestor of ancestors) {
      const place = this.#byKey.get(ancestor);
      if (place !== undefined) found.push(place);
    }
  }
}

/**
 * Finds the policies that may apply to a request: by action, then principal, then resource, each by name, ancestor or type.
 * It only leaves out: whether a policy applies is for its own scope to say.
 */
export class PolicyIndex<Policy extends Scoped> {
  readonly #actions = new Dimension(
    'action',
    () => new Dimension('principal', () => new Dimension<Policy[]>('resource', () => [])),
  );

  constructor(policies: readonly Policy[]) {
    for (const policy of policies)
      for (const principals of this.#actions.placesFor(policy.scope.action))
        for (const resources of principals.placesFor(policy.scope.principal))
          for (const place of resources.placesFor(policy.scope.resource)) place.push(policy);
  }

  /** Lists of candidates; no policy is in them twice. */
  candidates(frame: Frame): readonly (readonly Policy[])[] {
    const lists: Policy[][] = [];
    const actions = this.#actions.find(frame);
    for (const principals of actions)
      for (const resources of principals.find(frame))
        for (const list of resources.find(frame)) lists.push(list);
    // A policy that names several actions is found by each of them that the request's action is or descends from.
    return actions.length > 1 && lists.length > 1 ? [[...new Set(lists.flat())]] : lists;
  }
}
