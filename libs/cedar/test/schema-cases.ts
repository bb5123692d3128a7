import fc from 'fast-check';
import { actionUid, anyUid, type Case, jsonValues, policy, type Uid } from './cases.js';
import {
  actions,
  datetimes,
  decimals,
  durations,
  ids,
  ips,
  longs,
  quoted,
  texts,
  types,
} from './literals.js';

/** Schemas, and entities and requests that mostly fit them. */

type Type =
  | { readonly kind: 'Long' | 'String' | 'Bool' | 'ipaddr' | 'decimal' | 'datetime' | 'duration' }
  | { readonly kind: 'Entity'; readonly name: string }
  | { readonly kind: 'Set'; readonly element: Type }
  | { readonly kind: 'Record'; readonly fields: Fields };
type Fields = Readonly<Record<string, { readonly type: Type; readonly required: boolean }>>;

const enumType = 'E';
const enumIds = ['a', 'b'];
const usual: Readonly<Record<string, Type>> = {
  n: { kind: 'Long' },
  s: { kind: 'String' },
  e: { kind: 'Entity', name: 'U' },
  set: { kind: 'Set', element: { kind: 'Long' } },
  rec: { kind: 'Record', fields: { n: { type: { kind: 'Long' }, required: false } } },
  ip: { kind: 'ipaddr' },
  dec: { kind: 'decimal' },
  at: { kind: 'datetime' },
  for: { kind: 'duration' },
  yes: { kind: 'Bool' },
};

const type: fc.Arbitrary<Type> = fc.letrec<{ type: Type; fields: Fields }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', maxDepth: 2 },
    fc.constantFrom(...Object.values(usual)),
    fc.constantFrom(...types, enumType, 'Action').map((name): Type => ({ kind: 'Entity', name })),
    tie('type').map((element): Type => ({ kind: 'Set', element })),
    tie('fields').map((fields): Type => ({ kind: 'Record', fields })),
  ),
  fields: fc.dictionary(
    fc.constantFrom(...Object.keys(usual), 'x y', '__entity'),
    fc.record({ type: tie('type'), required: fc.boolean() }),
    { maxKeys: 3, noNullPrototype: true },
  ),
})).type;

const fields: fc.Arbitrary<Fields> = fc
  .record({
    usual: fc.subarray(Object.keys(usual)),
    others: fc.dictionary(fc.constantFrom(...Object.keys(usual), 'x y'), type, {
      maxKeys: 2,
      noNullPrototype: true,
    }),
    required: fc.subarray([...Object.keys(usual), 'x y']),
  })
  .map(({ usual: names, others, required }) => {
    const all = { ...Object.fromEntries(names.map((name) => [name, usual[name] as Type])), ...others };
    return Object.fromEntries(
      Object.entries(all).map(([name, one]) => [name, { type: one, required: required.includes(name) }]),
    );
  });

interface Schema {
  readonly entityTypes: Readonly<
    Record<
      string,
      { readonly fields: Fields; readonly parents: readonly string[]; readonly tags: Type | undefined }
    >
  >;
  readonly contexts: Readonly<Record<string, Fields>>;
  readonly principals: readonly string[];
  readonly resources: readonly string[];
}

const entityType = fc.record({
  fields,
  parents: fc.subarray([...types]),
  tags: fc.option(type, { nil: undefined, freq: 2 }),
});
const schema: fc.Arbitrary<Schema> = fc.record({
  entityTypes: fc.record({ U: entityType, G: entityType, D: entityType, 'N::R': entityType }),
  contexts: fc.record({ read: fields, write: fields, all: fields }),
  principals: fc.subarray([...types], { minLength: 2 }),
  resources: fc.subarray([...types, enumType], { minLength: 2 }),
});

function typeText(one: Type): string {
  if (one.kind === 'Entity') return one.name;
  if (one.kind === 'Set') return `Set<${typeText(one.element)}>`;
  return one.kind === 'Record' ? fieldsText(one.fields) : `__cedar::${one.kind}`;
}

function fieldsText(all: Fields): string {
  const lines = Object.entries(all).map(
    ([name, { type: one, required }]) => `${quoted(name)}${required ? '' : '?'}: ${typeText(one)}`,
  );
  return `{${lines.join(', ')}}`;
}

function schemaText({ entityTypes, contexts, principals, resources }: Schema): string {
  const entityText = ([name, { fields: all, parents, tags }]: [string, Schema['entityTypes'][string]]) => {
    const [own = ''] = name.split('::').slice(-1);
    const text = `entity ${own} in [${parents.join(', ')}] = ${fieldsText(all)}${tags ? ` tags ${typeText(tags)}` : ''};`;
    return name === own ? text : `namespace N { ${text} }`;
  };
  const actionTexts = Object.entries(contexts).map(
    ([id, context]) =>
      `action ${id} ${id === 'all' ? '' : 'in [all] '}appliesTo { principal: [${principals.join(', ')}], resource: [${resources.join(', ')}], context: ${fieldsText(context)} };`,
  );
  const enumText = `entity ${enumType} enum [${enumIds.map(quoted).join(', ')}];`;
  return [...Object.entries(entityTypes).map(entityText), enumText, ...actionTexts].join('\n');
}

/** A value of the type, with or without the escapes that a schema makes superfluous. */
function valueFor(one: Type): fc.Arbitrary<unknown> {
  switch (one.kind) {
    case 'Long':
      return fc.constantFrom(...longs).map((text) => BigInt(text));
    case 'String':
      return fc.constantFrom(...texts);
    case 'Bool':
      return fc.boolean();
    case 'Entity':
      return fc
        .tuple(
          one.name === 'Action' ? actionUid : fc.constantFrom(...ids).map((id) => ({ type: one.name, id })),
          fc.boolean(),
        )
        .map(([uid, said]) => (said ? { __entity: uid } : uid));
    case 'Set':
      return fc.array(valueFor(one.element), { maxLength: 3 });
    case 'Record':
      return valuesFor(one.fields);
    default:
      return extensionOf(one.kind);
  }
}

function extensionOf(kind: 'ipaddr' | 'decimal' | 'datetime' | 'duration'): fc.Arbitrary<unknown> {
  const texts = {
    ipaddr: ips.slice(0, 18),
    decimal: decimals.slice(0, 9),
    datetime: datetimes.slice(0, 5),
    duration: durations.slice(0, 8),
  };
  const fn = kind === 'ipaddr' ? 'ip' : kind;
  return fc
    .tuple(fc.constantFrom(...texts[kind]), fc.integer({ min: 0, max: 2 }))
    .map(([arg, form]) => [arg, { fn, arg }, { __extn: { fn, arg } }][form]);
}

function valuesFor(all: Fields): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys(all);
  const required = names.filter((name) => all[name]?.required);
  const values = Object.fromEntries(Object.entries(all).map(([name, field]) => [name, valueFor(field.type)]));
  return fc.record(values, { requiredKeys: required }) as fc.Arbitrary<Record<string, unknown>>;
}

/** Once in many times a value is of any type, one is missing or one too many. */
function sometimesWrong(
  values: fc.Arbitrary<Record<string, unknown>>,
): fc.Arbitrary<Record<string, unknown>> {
  return fc.oneof(
    { weight: 40, arbitrary: values },
    fc
      .tuple(values, fc.constantFrom(...Object.keys(usual)), jsonValues.any)
      .map(([all, name, wrong]) => ({ ...all, [name]: wrong })),
    values.map((all) => Object.fromEntries(Object.entries(all).slice(1))),
  );
}

function entityOf({ entityTypes }: Schema): fc.Arbitrary<{ uid: Uid; parents: readonly Uid[] }> {
  const kinds = Object.entries(entityTypes).map(([name, { fields: all, parents, tags }]) =>
    fc.record({
      uid: fc.constantFrom(...ids).map((id) => ({ type: name, id })),
      attrs: sometimesWrong(valuesFor(all)),
      parents: fc
        .array(anyUid, { maxLength: 3 })
        .map((found) => found.filter((one) => parents.includes(one.type) && one.id > 'a')),
      tags:
        tags === undefined
          ? fc.constant({})
          : fc.dictionary(fc.constantFrom('n', 's', 'a'), valueFor(tags), {
              maxKeys: 2,
              noNullPrototype: true,
            }),
    }),
  );
  const enumerated = fc
    .constantFrom(...enumIds, 'b', 'c')
    .map((id) => ({ uid: { type: enumType, id }, attrs: {}, parents: [] }));
  const action = fc.tuple(actionUid, fc.integer({ min: 0, max: 9 })).map(([uid, dice]) => ({
    uid,
    attrs: {},
    parents: uid.id === 'all' || dice === 0 ? [] : [{ type: 'Action', id: 'all' }],
  }));
  return fc.oneof(...kinds, ...kinds, enumerated, action);
}

function requestOf({ contexts, principals, resources }: Schema): fc.Arbitrary<Case['requests'][number]> {
  const uidOf = (from: readonly string[]) =>
    fc.oneof(
      { weight: 30, arbitrary: fc.record({ type: fc.constantFrom(...from), id: fc.constantFrom('a', 'b') }) },
      fc.record({ type: fc.constantFrom(...types, enumType, 'Z'), id: fc.constantFrom(...ids) }),
    );
  const known = fc.constantFrom(...actions).chain((id) =>
    fc.record({
      principal: uidOf(principals),
      action: fc.constant({ type: 'Action', id }),
      resource: uidOf(resources),
      context: sometimesWrong(valuesFor(contexts[id] ?? {})),
    }),
  );
  const unknown = fc.constant({
    principal: { type: 'U', id: 'a' },
    action: { type: 'Action', id: 'z' },
    resource: { type: 'U', id: 'a' },
    context: {},
  });
  return fc.oneof({ weight: 60, arbitrary: known }, unknown);
}

export const schemaCases = (requests: number): fc.Arbitrary<Case> =>
  schema.chain((one) =>
    fc.record({
      policies: fc
        .array(policy, { minLength: 1, maxLength: 10 })
        .map((all) => Object.fromEntries(all.map((text, index) => [`p${index}`, text]))),
      links: fc.constant([]),
      schema: fc.constant(schemaText(one)),
      entities: fc.uniqueArray(entityOf(one), {
        maxLength: 4,
        selector: ({ uid: { type: name, id } }) => `${name}/${id}`,
      }),
      requests: fc.array(requestOf(one), { minLength: requests, maxLength: requests }),
    }),
  );
