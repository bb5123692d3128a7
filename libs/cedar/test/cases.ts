import fc from 'fast-check';
import { expressions, uid } from './expressions.js';
import { actions, datetimes, decimals, durations, ids, ips, longs, names, texts, types } from './literals.js';

/** Policies, entities and requests without a schema: anything may be anything. */

export interface Uid {
  readonly type: string;
  readonly id: string;
}

export interface Case {
  readonly policies: Readonly<Record<string, string>>;
  readonly links: readonly { policyId: string; templateId: string; slots: Record<string, Uid> }[];
  readonly schema?: string;
  readonly entities: readonly unknown[];
  readonly requests: readonly { principal: Uid; action: Uid; resource: Uid; context: unknown }[];
}

export const anyUid = fc.record({ type: fc.constantFrom(...types), id: fc.constantFrom(...ids) });
export const actionUid = fc.constantFrom(...actions).map((id) => ({ type: 'Action', id }));

const scope = (variable: 'principal' | 'resource') =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(variable) },
    uid.map((one) => `${variable} == ${one}`),
    uid.map((one) => `${variable} in ${one}`),
    fc.constantFrom(...types).map((type) => `${variable} is ${type}`),
    fc.tuple(fc.constantFrom(...types), uid).map(([type, one]) => `${variable} is ${type} in ${one}`),
  );
const slotted = (variable: 'principal' | 'resource') =>
  fc.constantFrom(
    `${variable} == ?${variable}`,
    `${variable} in ?${variable}`,
    `${variable} is U in ?${variable}`,
  );
const actionScope = fc.oneof(
  fc.constant('action'),
  fc.constantFrom(...actions).map((id) => `action == Action::"${id}"`),
  fc.constantFrom(...actions).map((id) => `action in Action::"${id}"`),
  fc
    .subarray([...actions], { minLength: 1 })
    .map((all) => `action in [${all.map((id) => `Action::"${id}"`).join(', ')}]`),
);
const effect = fc.constantFrom('permit', 'permit', 'permit', 'forbid');
const condition = fc
  .tuple(fc.constantFrom('when', 'when', 'unless'), expressions.bool)
  .map(([kind, body]) => `${kind} { ${body} }`);
const conditions = fc.array(condition, { maxLength: 2 }).map((all) => all.join(' '));

export const policy = fc
  .tuple(effect, scope('principal'), actionScope, scope('resource'), conditions)
  .map(
    ([kind, principal, action, resource, rest]) => `${kind} (${principal}, ${action}, ${resource}) ${rest};`,
  );
export const template = fc
  .tuple(
    effect,
    slotted('principal'),
    actionScope,
    fc.oneof(scope('resource'), slotted('resource')),
    conditions,
  )
  .map(
    ([kind, principal, action, resource, rest]) => `${kind} (${principal}, ${action}, ${resource}) ${rest};`,
  );

const long = fc.constantFrom(...longs).map((written) => {
  const value = BigInt(written);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
});
const extension = (fn: string, values: readonly string[]) =>
  fc.constantFrom(...values).map((arg) => ({ __extn: { fn, arg } }));
const entity = anyUid.map((one) => ({ __entity: one }));

export const jsonValues = fc.letrec<{
  any: unknown;
  set: readonly unknown[];
  record: Record<string, unknown>;
}>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.boolean(),
    long,
    fc.constantFrom(...texts),
    entity,
    tie('set'),
    tie('record'),
    extension('ip', ips.slice(0, 18)),
    extension('decimal', decimals.slice(0, 9)),
    extension('datetime', datetimes.slice(0, 5)),
    extension('duration', durations.slice(0, 8)),
  ),
  set: fc.array(tie('any'), { maxLength: 3 }),
  record: fc.dictionary(fc.constantFrom(...names), tie('any'), { maxKeys: 3, noNullPrototype: true }),
}));

/** Attributes whose values mostly have the type that their names promise. */
export const attributes = fc.record(
  {
    n: fc.oneof({ weight: 9, arbitrary: long }, jsonValues.any),
    s: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...texts) }, jsonValues.any),
    e: entity,
    set: jsonValues.set,
    rec: fc.record({ n: long, s: fc.constantFrom(...texts), rec: jsonValues.record }, { requiredKeys: [] }),
    ip: extension('ip', ips.slice(0, 18)),
    dec: extension('decimal', decimals.slice(0, 9)),
    at: extension('datetime', datetimes.slice(0, 5)),
    for: extension('duration', durations.slice(0, 8)),
    yes: fc.boolean(),
    'x y': jsonValues.any,
  },
  { requiredKeys: [] },
);

const tags = fc.dictionary(fc.constantFrom(...texts), jsonValues.any, { maxKeys: 2, noNullPrototype: true });
const entityJson = fc.record({
  uid: fc.oneof({ weight: 5, arbitrary: anyUid }, actionUid),
  attrs: attributes,
  parents: fc.array(fc.oneof({ weight: 9, arbitrary: anyUid }, actionUid), { maxLength: 2 }),
  tags,
});

/** Mostly a hierarchy without circles: parents come later in the order of types and ids. */
export const entities = fc
  .tuple(
    fc.uniqueArray(entityJson, { maxLength: 4, selector: ({ uid: { type, id } }) => `${type}/${id}` }),
    fc.integer({ min: 0, max: 19 }),
  )
  .map(([all, dice]) =>
    all.map((one) =>
      dice === 0 ? one : { ...one, parents: one.parents.filter((parent) => isLater(parent, one.uid)) },
    ),
  );

function isLater(parent: Uid, child: Uid): boolean {
  const rank = ({ type, id }: Uid) =>
    [...types, 'Action'].indexOf(type) * 100 + [...ids, ...actions].indexOf(id as never);
  return (child.type === 'Action') === (parent.type === 'Action') && rank(parent) > rank(child);
}

export const request = fc.record({
  principal: anyUid,
  action: actionUid,
  resource: anyUid,
  context: attributes,
});

export const cases = (requests: number): fc.Arbitrary<Case> =>
  fc
    .record({
      policies: fc.array(policy, { minLength: 1, maxLength: 12 }),
      templates: fc.array(fc.tuple(template, fc.array(fc.tuple(anyUid, anyUid), { maxLength: 2 })), {
        maxLength: 2,
      }),
      entities,
      requests: fc.array(request, { minLength: requests, maxLength: requests }),
    })
    .map(({ policies, templates, ...rest }) => ({
      ...rest,
      policies: Object.fromEntries([
        ...policies.map((one, index) => [`p${index}`, one]),
        ...templates.map(([one], index) => [`t${index}`, one]),
      ]),
      links: templates.flatMap(([one, links], index) =>
        links.map(([principal, resource], at) => ({
          policyId: `l${index}.${at}`,
          templateId: `t${index}`,
          slots: {
            '?principal': principal,
            ...(one.includes('?resource') && { '?resource': resource }),
          },
        })),
      ),
    }));
