/**
 * Whether a schema fits what the engine asks. A schema that declares `amount` as text, or an action for principals that
 * are no agents, would validate policies against questions that never come: they would be wrong without a word. Such a
 * schema is refused. `policies/README.md` says what is asked.
 */

/** The parts of Cedar's JSON schema (types resolved) that matter here. */
export interface SchemaForm {
  readonly [namespace: string]: {
    readonly commonTypes?: Readonly<Record<string, TypeForm>>;
    readonly entityTypes: Readonly<Record<string, EntityForm>>;
    readonly actions: Readonly<Record<string, ActionForm>>;
  };
}

interface EntityForm {
  readonly shape?: TypeForm;
  readonly tags?: unknown;
  /** What it may be `in`, directly. */
  readonly memberOfTypes?: readonly string[];
}

export interface TypeForm {
  readonly type: string;
  readonly name?: string;
  readonly element?: TypeForm;
  readonly attributes?: Readonly<Record<string, TypeForm & { readonly required?: boolean }>>;
}

interface ActionForm {
  readonly appliesTo?: {
    readonly principalTypes: readonly string[];
    readonly resourceTypes: readonly string[];
    readonly context?: TypeForm;
  };
  readonly memberOf?: readonly { readonly id: string }[];
}

/** How a named attribute of an action is declared. */
export interface AttributeType {
  readonly type: 'String' | 'Long' | 'Bool';
  readonly required: boolean;
}

export interface FittingAction {
  /** The groups it belongs to, directly or through others. */
  readonly groups: readonly string[];
  /** The attributes that policies may read. */
  readonly attributes: ReadonlyMap<string, AttributeType>;
}

/** Members of the context that every question has. */
const always: Readonly<Record<string, string>> = {
  purpose: 'String',
  task: 'String',
  person: 'Person',
  agents: 'Set<Agent>',
  depth: 'Long',
  trust: 'Long',
  environment: 'String',
  datatypes: 'Set<String>',
  now: 'datetime',
};
/** Members that only some questions have; a schema must declare them optional. */
const sometimes: Readonly<Record<string, string>> = { amount: 'decimal', currency: 'String' };

const entityAttributes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Agent: { sponsor: 'Person', sensitivity: 'String' },
  Resource: { type: 'String', location: 'String', identifier: 'String' },
  Person: {},
  Team: {},
  Blueprint: {},
  Location: {},
};

/** The parents that are told of; entities of every other type have none. */
const entityParents: ReadonlyMap<string, readonly string[]> = new Map([
  ['Agent', ['Team', 'Blueprint']],
  ['Resource', ['Location']],
]);

/** Answers the actions that may be asked about, and every misfit in words. */
export function fitSchema(schema: SchemaForm): {
  readonly actions: ReadonlyMap<string, FittingAction>;
  readonly misfits: readonly string[];
} {
  const misfits: string[] = [];
  for (const namespace of Object.keys(schema))
    if (namespace !== '')
      misfits.push(`namespace \`${namespace}\` is never asked about; declare without one`);
  const { entityTypes = {}, actions = {}, commonTypes = {} } = schema[''] ?? {};
  for (const [name, { shape, tags, memberOfTypes = [] }] of Object.entries(entityTypes)) {
    // A forbid on what is `in` something that is never told of would guard nothing.
    for (const parent of memberOfTypes)
      if (entityParents.get(name)?.includes(parent) !== true)
        misfits.push(`entity \`${name}\` is never in a \`${parent}\``);
    const expected = entityAttributes[name];
    if (expected === undefined) continue;
    if (tags !== undefined) misfits.push(`entity \`${name}\` has no tags`);
    misfits.push(...recordMisfits(`entity \`${name}\``, resolve(shape, commonTypes), expected, {}));
  }
  const fitting = new Map<string, FittingAction>();
  for (const [name, action] of Object.entries(actions)) {
    if (isGroup(action)) continue;
    misfits.push(...actionMisfits(name, action, commonTypes));
    fitting.set(name, {
      groups: groupsOf(name, actions),
      attributes: attributesOf(resolve(action.appliesTo?.context, commonTypes), commonTypes),
    });
  }
  return { actions: fitting, misfits };
}

function isGroup({ appliesTo }: ActionForm): boolean {
  return appliesTo === undefined || appliesTo.principalTypes.length === 0;
}

type CommonTypes = Readonly<Record<string, TypeForm>>;

function actionMisfits(name: string, { appliesTo }: ActionForm, commonTypes: CommonTypes): string[] {
  const what = `action \`${name}\``;
  const misfits: string[] = [];
  if (!/^[a-z0-9_]{1,64}:[A-Za-z0-9_]/.test(name)) misfits.push(`${what} must be named \`<type>:<name>\``);
  for (const type of appliesTo?.principalTypes ?? [])
    if (type !== 'Agent') misfits.push(`${what} must apply to principals of type \`Agent\` only`);
  for (const type of appliesTo?.resourceTypes ?? [])
    if (type !== 'Resource') misfits.push(`${what} must apply to resources of type \`Resource\` only`);
  const context = resolve(appliesTo?.context, commonTypes);
  const { attributes, ...members } = context?.attributes ?? {};
  misfits.push(
    ...recordMisfits(`the context of ${what}`, { type: 'Record', attributes: members }, always, sometimes),
  );
  const declared = resolve(attributes, commonTypes);
  if (declared !== undefined && declared.type !== 'Record')
    misfits.push(`\`attributes\` of ${what} must be a record`);
  for (const [attribute, { type }] of Object.entries(declared?.attributes ?? {}))
    if (!isScalar(type)) misfits.push(`attribute \`${attribute}\` of ${what} must be String, Long or Bool`);
  return misfits;
}

function recordMisfits(
  what: string,
  record: TypeForm | undefined,
  required: Readonly<Record<string, string>>,
  optional: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(record?.attributes ?? {}).flatMap(([member, type]) => {
    const expected = required[member] ?? optional[member];
    if (expected === undefined) return [`${what} has no \`${member}\``];
    const found = spell(type);
    if (found !== expected) return [`\`${member}\` of ${what} is ${expected}, not ${found}`];
    if (optional[member] !== undefined && type.required !== false)
      return [`\`${member}\` of ${what} is not always there; declare \`${member}?\``];
    return [];
  });
}

function attributesOf(context: TypeForm | undefined, commonTypes: CommonTypes): Map<string, AttributeType> {
  const declared = resolve(context?.attributes?.attributes, commonTypes);
  const attributes = new Map<string, AttributeType>();
  for (const [name, { type, required }] of Object.entries(declared?.attributes ?? {}))
    if (isScalar(type)) attributes.set(name, { type, required: required !== false });
  return attributes;
}

function isScalar(type: string): type is AttributeType['type'] {
  return type === 'String' || type === 'Long' || type === 'Bool';
}

/** Cedar refuses common types that contain themselves, so this ends. */
function resolve(type: TypeForm | undefined, commonTypes: CommonTypes): TypeForm | undefined {
  const common = type && Object.hasOwn(commonTypes, type.type) ? commonTypes[type.type] : undefined;
  return common === undefined ? type : resolve(common, commonTypes);
}

/** A type as people write it. */
function spell({ type, name, element }: TypeForm): string {
  if (type === 'Set') return `Set<${element === undefined ? '' : spell(element)}>`;
  return type === 'Entity' || type === 'Extension' || type === 'EntityOrCommon' ? (name ?? type) : type;
}

function groupsOf(name: string, actions: Readonly<Record<string, ActionForm>>): readonly string[] {
  const groups = new Set<string>();
  const climb = (child: string) => {
    for (const { id } of actions[child]?.memberOf ?? []) {
      if (groups.has(id)) continue;
      groups.add(id);
      climb(id);
    }
  };
  climb(name);
  return [...groups];
}
