const REMEMBERED_MAX = 16_384;
const REMEMBERED_LENGTH_MAX = 256;
const remembered = new Map<string, Map<string, EntityUid>>();
let rememberedCount = 0;

/** Names an entity. Two are the same when their `key`s are. */
export class EntityUid {
  /** Type and id as one string; a type holds no NUL, so no two entities share one. */
  readonly key: string;

  constructor(
    readonly type: string,
    readonly id: string,
  ) {
    this.key = `${type}\0${id}`;
  }

  /** The same object for the same entity, as long as it is remembered: its key is then flat and hashed already. */
  static of(type: string, id: string): EntityUid {
    const known = remembered.get(type)?.get(id);
    if (known !== undefined) return known;
    const uid = new EntityUid(type, id);
    // Bounded in number and in length, for callers choose the ids.
    if (type.length + id.length > REMEMBERED_LENGTH_MAX) return uid;
    if (rememberedCount >= REMEMBERED_MAX) {
      remembered.clear();
      rememberedCount = 0;
    }
    const ofType = remembered.get(type) ?? new Map<string, EntityUid>();
    remembered.set(type, ofType.set(id, uid));
    rememberedCount += 1;
    return uid;
  }

  toString(): string {
    return `${this.type}::${JSON.stringify(this.id)}`;
  }
}

/** Identifiers joined by `::`, without spaces. */
const typeName = /^[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*$/;
const reserved = /(?:^|::)(?:true|false|if|then|else|in|like|has|is|__cedar)(?:$|::)/;
const KNOWN_TYPES_MAX = 4_096;
const knownTypes = new Set<string>();

/** Whether a text can be the type of an entity. */
export function isTypeName(text: string): boolean {
  if (knownTypes.has(text)) return true;
  if (!typeName.test(text) || reserved.test(text)) return false;
  // Types are few; a caller who invents many does not make us remember them.
  if (knownTypes.size < KNOWN_TYPES_MAX && text.length <= REMEMBERED_LENGTH_MAX) knownTypes.add(text);
  return true;
}

/** Whether the entity is an action: its type is `Action`, in any namespace. */
export function isActionType(type: string): boolean {
  return type === 'Action' || type.endsWith('::Action');
}
