import { type Attributes, type Entity, sameEntity } from './entity.js';
import { isActionType } from './entity-uid.js';
import type { Schema } from './schema.js';
import { InvalidInput, isObject, type JsonObject, readAttributes, readUid } from './value-json.js';

const none: readonly string[] = [];
const noAttributes: Attributes = new Map();

/**
 * Entities that requests are decided with. They are read and checked once and never change; what they descend from is worked
 * out when it is first asked, so that a long chain of parents costs its length once and not its square.
 */
export class Entities {
  readonly #entities: ReadonlyMap<string, Entity>;
  readonly #ancestors = new Map<string, ReadonlySet<string>>();
  readonly #ancestorKeys = new Map<string, readonly string[]>();

  private constructor(
    entities: ReadonlyMap<string, Entity>,
    /** What they were read by; undefined where they were read without one. */
    readonly schema: Schema | undefined,
  ) {
    this.#entities = entities;
  }

  /** @throws InvalidInput when one is malformed, does not fit the schema, is there twice and differs, or is its own ancestor */
  static read(json: unknown, schema?: Schema): Entities {
    if (!Array.isArray(json)) throw new InvalidInput('entities are a list');
    const entities = new Map<string, Entity>();
    for (const one of json) {
      const entity = readEntity(one, schema);
      const known = entities.get(entity.uid.key);
      if (known !== undefined && !sameEntity(known, entity))
        throw new InvalidInput(`duplicate entity entry \`${entity.uid}\``);
      entities.set(entity.uid.key, entity);
    }
    refuseCycles(entities);
    const read = new Entities(entities, schema);
    if (schema === undefined) return read;
    for (const entity of entities.values())
      if (isActionType(entity.uid.type)) schema.checkAction(entity, read.ancestors(entity.uid.key));
    for (const action of schema.actionEntities()) entities.set(action.uid.key, action);
    return new Entities(entities, schema);
  }

  get(key: string): Entity | undefined {
    return this.#entities.get(key);
  }

  /** Keys of everything an entity descends from, itself not among them. */
  ancestors(key: string): ReadonlySet<string> {
    const known = this.#ancestors.get(key);
    if (known !== undefined) return known;
    const found = new Set<string>();
    const open = [key];
    for (let next = open.pop(); next !== undefined; next = open.pop())
      for (const parent of this.#entities.get(next)?.parents ?? []) {
        if (found.has(parent.key)) continue;
        found.add(parent.key);
        open.push(parent.key);
      }
    // Those who are not among the entities descend from nobody and need no place here: callers may ask for any.
    if (this.#entities.has(key)) this.#ancestors.set(key, found);
    return found;
  }

  ancestorKeys(key: string): readonly string[] {
    const known = this.#ancestorKeys.get(key);
    if (known !== undefined) return known;
    if (!this.#entities.has(key)) return none;
    const keys = [...this.ancestors(key)];
    this.#ancestorKeys.set(key, keys);
    return keys;
  }
}

function readEntity(json: unknown, schema: Schema | undefined): Entity {
  if (!isObject(json)) throw new InvalidInput('an entity is an object');
  const uid = readUid(json.uid, 'the `uid` of an entity');
  const { attrs, parents, tags = {} } = json;
  if (!isObject(attrs)) throw new InvalidInput(`\`attrs\` of \`${uid}\` is no object`);
  if (!Array.isArray(parents)) throw new InvalidInput(`\`parents\` of \`${uid}\` is no list`);
  if (!isObject(tags)) throw new InvalidInput(`\`tags\` of \`${uid}\` is no object`);
  const ancestors = parents.map((parent) => readUid(parent, `a parent of \`${uid}\``));
  const wrong = isActionType(uid.type) ? ancestors.find(({ type }) => !isActionType(type)) : undefined;
  if (wrong !== undefined) throw new InvalidInput(`action \`${uid}\` has a non-action parent \`${wrong}\``);
  try {
    if (schema !== undefined) return schema.readEntity({ uid, attrs, tags, parents: ancestors });
    return {
      uid,
      attributes: readNamed(attrs),
      tags: readNamed(tags),
      parents: ancestors,
    };
  } catch (thrown) {
    if (thrown instanceof InvalidInput) throw new InvalidInput(`entity \`${uid}\`: ${thrown.message}`);
    throw thrown;
  }
}

function readNamed(json: JsonObject): Attributes {
  const attributes = readAttributes(json, 0);
  return attributes.size === 0 ? noAttributes : attributes;
}

/** Without recursion: a chain may be as long as the list. */
function refuseCycles(entities: ReadonlyMap<string, Entity>): void {
  if (!hasParentAmong(entities)) return;
  const finished = new Set<string>();
  const onPath = new Set<string>();
  for (const start of entities.keys()) {
    const path = [{ key: start, next: 0 }];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      if (top.next === 0 && finished.has(top.key)) {
        path.pop();
        continue;
      }
      onPath.add(top.key);
      const parent = entities.get(top.key)?.parents[top.next];
      top.next += 1;
      if (parent === undefined) {
        onPath.delete(top.key);
        finished.add(top.key);
        path.pop();
      } else if (onPath.has(parent.key)) throw new InvalidInput(`\`${parent}\` is its own ancestor`);
      else if (!finished.has(parent.key)) path.push({ key: parent.key, next: 0 });
    }
  }
}

/** Most requests bring entities whose parents are not among them. */
function hasParentAmong(entities: ReadonlyMap<string, Entity>): boolean {
  for (const { parents } of entities.values())
    for (const { key } of parents) if (entities.has(key)) return true;
  return false;
}
