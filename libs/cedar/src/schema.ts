import type { Attributes, Entity } from './entity.js';
import { EntityUid } from './entity-uid.js';
import {
  type AttributeJson,
  type Field,
  fieldsOf,
  type Reader,
  readerOf,
  readFields,
  type TypeJson,
} from './schema-type.js';
import { CedarRecord, type Value } from './value.js';
import { InvalidInput, isObject, type JsonObject } from './value-json.js';

/** A schema in JSON with all names resolved, as `schemaToJsonWithResolvedTypes` of the reference gives it. */
export type SchemaJson = Readonly<Record<string, NamespaceJson>>;

interface NamespaceJson {
  readonly commonTypes?: Readonly<Record<string, TypeJson>>;
  readonly entityTypes: Readonly<Record<string, EntityTypeJson>>;
  readonly actions: Readonly<Record<string, ActionJson>>;
}

interface EntityTypeJson {
  readonly memberOfTypes?: readonly string[];
  readonly shape?: TypeJson;
  readonly tags?: TypeJson;
  readonly enum?: readonly string[];
}

interface ActionJson {
  readonly attributes?: JsonObject;
  readonly appliesTo?: {
    readonly principalTypes: readonly string[];
    readonly resourceTypes: readonly string[];
    readonly context?: TypeJson;
  };
  readonly memberOf?: readonly { readonly id: string; readonly type?: string }[];
}

interface EntityType {
  readonly fields: ReadonlyMap<string, Field>;
  readonly tags: Reader | undefined;
  readonly ancestorTypes: ReadonlySet<string>;
  readonly ids: ReadonlySet<string> | undefined;
}

interface Action {
  readonly entity: Entity;
  readonly principalTypes: ReadonlySet<string>;
  readonly resourceTypes: ReadonlySet<string>;
  readonly readContext: Reader;
}

/** What entities and requests must look like: it reads them, and refuses what does not fit. */
export class Schema {
  readonly #types = new Map<string, EntityType>();
  readonly #actions = new Map<string, Action>();

  constructor(json: SchemaJson) {
    const commonTypes = new Map<string, TypeJson>();
    const entityTypes = new Map<string, EntityTypeJson>();
    for (const [namespace, { commonTypes: common = {}, entityTypes: entities }] of Object.entries(json)) {
      for (const [name, type] of Object.entries(common)) commonTypes.set(qualified(namespace, name), type);
      for (const [name, type] of Object.entries(entities)) entityTypes.set(qualified(namespace, name), type);
    }
    const scope = { commonTypes, checkUid: (uid: EntityUid) => this.checkUid(uid) };
    for (const [name, type] of entityTypes) {
      this.#types.set(name, {
        fields: fieldsOf(shapeOf(type.shape, commonTypes), scope),
        tags: type.tags && readerOf(type.tags, scope),
        ancestorTypes: ancestorTypesOf(name, entityTypes),
        ids: type.enum && new Set(type.enum),
      });
    }
    for (const [namespace, { actions }] of Object.entries(json))
      for (const [id, action] of Object.entries(actions)) {
        const uid = new EntityUid(qualified(namespace, 'Action'), id);
        this.#actions.set(uid.key, {
          entity: actionEntity(uid, action),
          principalTypes: new Set(action.appliesTo?.principalTypes),
          resourceTypes: new Set(action.appliesTo?.resourceTypes),
          readContext: readerOf(action.appliesTo?.context ?? { type: 'Record' }, scope),
        });
      }
  }

  actionEntities(): readonly Entity[] {
    return [...this.#actions.values()].map(({ entity }) => entity);
  }

  /** @throws InvalidInput */
  readEntity(json: {
    readonly uid: EntityUid;
    readonly attrs: JsonObject;
    readonly tags: JsonObject;
    readonly parents: readonly EntityUid[];
  }): Entity {
    const { uid, attrs, tags, parents } = json;
    const action = this.#actions.get(uid.key);
    if (action !== undefined) {
      if (Object.keys(attrs).length + Object.keys(tags).length > 0) throw actionMismatch(uid);
      return { uid, attributes: new Map(), tags: new Map(), parents };
    }
    this.checkUid(uid);
    const type = this.#typeOf(uid);
    for (const parent of parents) {
      this.#checkIds(parent);
      if (!type.ancestorTypes.has(parent.type))
        throw new InvalidInput(`an ancestor of type \`${parent.type}\` is not allowed by the schema`);
    }
    const attributes = readFields(attrs, type.fields, 0);
    return { uid, attributes, tags: readTags(tags, type.tags), parents };
  }

  /** An action may be among the entities when it is what the schema says. @throws InvalidInput */
  checkAction({ uid }: Entity, ancestors: ReadonlySet<string>): void {
    const expected = this.#ancestorsOfAction(uid.key);
    if (expected.size !== ancestors.size || ![...ancestors].every((key) => expected.has(key)))
      throw actionMismatch(uid);
  }

  #ancestorsOfAction(key: string): ReadonlySet<string> {
    const found = new Set<string>();
    const open = [key];
    for (let next = open.pop(); next !== undefined; next = open.pop())
      for (const parent of this.#actions.get(next)?.entity.parents ?? [])
        if (!found.has(parent.key)) {
          found.add(parent.key);
          open.push(parent.key);
        }
    return found;
  }

  /** The context of a request that fits the schema. @throws InvalidInput */
  readRequest(request: {
    readonly principal: EntityUid;
    readonly action: EntityUid;
    readonly resource: EntityUid;
    readonly context: unknown;
  }): CedarRecord {
    const { principal, resource } = request;
    this.#typeOf(principal);
    this.#checkIds(principal);
    this.#typeOf(resource);
    this.#checkIds(resource);
    const action = this.#actions.get(request.action.key);
    if (action === undefined)
      throw new InvalidInput(`action \`${request.action}\` does not exist in the supplied schema`);
    if (!action.principalTypes.has(principal.type))
      throw new InvalidInput(`principal type \`${principal.type}\` is not valid for \`${request.action}\``);
    if (!action.resourceTypes.has(resource.type))
      throw new InvalidInput(`resource type \`${resource.type}\` is not valid for \`${request.action}\``);
    if (!isObject(request.context)) throw new InvalidInput('the context is no object');
    return action.readContext(request.context, 0) as CedarRecord;
  }

  /** @throws InvalidInput when the schema has no such action or type, or the type no such id */
  checkUid(uid: EntityUid): void {
    if (this.#actions.has(uid.key)) return;
    this.#typeOf(uid);
    this.#checkIds(uid);
  }

  #typeOf(uid: EntityUid): EntityType {
    const type = this.#types.get(uid.type);
    if (type === undefined)
      throw new InvalidInput(
        `entity \`${uid}\` has type \`${uid.type}\` which is not declared in the schema`,
      );
    return type;
  }

  #checkIds({ type, id }: EntityUid): void {
    const ids = this.#types.get(type)?.ids;
    if (ids !== undefined && !ids.has(id))
      throw new InvalidInput(
        `entity \`${type}::${JSON.stringify(id)}\` is of an enumerated entity type, but \`${id}\` is not declared as a valid eid`,
      );
  }
}

function qualified(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}::${name}`;
}

function shapeOf(
  shape: TypeJson | undefined,
  commonTypes: ReadonlyMap<string, TypeJson>,
): Readonly<Record<string, AttributeJson>> {
  if (shape === undefined) return {};
  if (shape.type !== 'Record') return shapeOf(commonTypes.get(shape.type), commonTypes);
  return shape.attributes ?? {};
}

function ancestorTypesOf(name: string, types: ReadonlyMap<string, EntityTypeJson>): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop())
    for (const parent of types.get(next)?.memberOfTypes ?? [])
      if (!found.has(parent)) {
        found.add(parent);
        open.push(parent);
      }
  return found;
}

function actionEntity(uid: EntityUid, { attributes, memberOf = [] }: ActionJson): Entity {
  if (attributes !== undefined && Object.keys(attributes).length > 0)
    throw new Error(`action \`${uid}\` has attributes, which are not known here`);
  const parents = memberOf.map(({ type = uid.type, id }) => new EntityUid(type, id));
  return { uid, attributes: new Map(), tags: new Map(), parents };
}

function actionMismatch(uid: EntityUid): InvalidInput {
  return new InvalidInput(`definition of action \`${uid}\` does not match its schema declaration`);
}

function readTags(json: JsonObject, read: Reader | undefined): Attributes {
  const tags = new Map<string, Value>();
  for (const [name, value] of Object.entries(json)) {
    if (value === undefined) continue;
    if (read === undefined) throw new InvalidInput(`tag \`${name}\` is not allowed by the schema`);
    tags.set(name, read(value, 1));
  }
  return tags;
}
