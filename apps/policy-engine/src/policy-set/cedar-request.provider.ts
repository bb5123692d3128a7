import type { PolicyContext, PolicyRequest } from '../decision/policy-request.js';
import { sensitivities } from '../decision/trust-ceiling.js';
import type { ContextReads } from './context-reads.js';
import type { FittingAction } from './schema-fit.js';

interface Uid {
  readonly type: string;
  readonly id: string;
}

/** A question as Cedar is asked it; `policies/README.md` describes the same for people who write policies. */
export interface CedarQuestion {
  readonly principal: Uid;
  readonly action: Uid;
  readonly resource: Uid;
  readonly context: Readonly<Record<string, unknown>>;
  readonly entities: readonly unknown[];
}

/** Every question about an action has this much in common. */
export interface AskedAction {
  readonly uid: Uid;
  /** The action with its groups; none where it is in no group. */
  readonly entities: readonly unknown[];
  readonly attributes: FittingAction['attributes'];
  /** What the policies that may apply to it read. */
  readonly reads: ContextReads;
}

export function askedAction(
  name: string,
  { groups, attributes }: FittingAction,
  reads: ContextReads,
): AskedAction {
  const own = uid('Action', name);
  const parents = groups.map((id) => uid('Action', id));
  return { uid: own, entities: parents.length === 0 ? [] : [entity(own, {}, parents)], attributes, reads };
}

export function cedarQuestion(request: PolicyRequest, action: AskedAction): CedarQuestion {
  const { agent, resource } = request;
  return {
    principal: uid('Agent', agent.id),
    action: action.uid,
    resource: uid('Resource', resource.identifier),
    context: contextOf(request, action),
    entities: [agentEntity(agent), resourceEntity(resource), ...action.entities],
  };
}

/** Why the attributes that the caller sent do not fit their declarations. */
export function attributeErrors(request: PolicyRequest, { attributes }: AskedAction): readonly string[] {
  const errors: string[] = [];
  for (const [name, { type, required }] of attributes) {
    const value = Object.hasOwn(request.attributes, name) ? request.attributes[name] : undefined;
    if (value === undefined && required) errors.push(`attribute \`${name}\` is missing`);
    if (value !== undefined && typeof value !== javaScriptType[type])
      errors.push(`attribute \`${name}\` must be ${type}`);
  }
  return errors;
}

const javaScriptType = { String: 'string', Long: 'number', Bool: 'boolean' } as const;

function contextOf(
  { context: said, attributes: sent }: PolicyRequest,
  { attributes, reads }: AskedAction,
): Record<string, unknown> {
  const context: Record<string, unknown> = {};
  for (const member of reads === 'all' ? members.keys() : reads) {
    const value = members.get(member)?.(said);
    if (value !== undefined) context[member] = value;
  }
  if (reads === 'all' || reads.has('attributes'))
    context.attributes = Object.fromEntries(Object.entries(sent).filter(([name]) => attributes.has(name)));
  return context;
}

type Member = (context: PolicyContext) => unknown;
const members: ReadonlyMap<string, Member> = new Map<string, Member>([
  ['purpose', ({ purpose }) => purpose],
  ['task', ({ task }) => task],
  ['person', ({ personId }) => reference('Person', personId)],
  ['agents', ({ agentIds }) => agentIds.map((id) => reference('Agent', id))],
  ['depth', ({ depth }) => depth],
  ['trust', ({ trust }) => trust],
  ['environment', ({ environment }) => environment],
  ['datatypes', ({ datatypes }) => datatypes],
  ['now', ({ at }) => extension('datetime', at.toISOString())],
  ['amount', ({ amount }) => (amount === undefined ? undefined : extension('decimal', decimalText(amount)))],
  ['currency', ({ currency }) => currency],
]);

function agentEntity({ id, owner, blueprintId, sponsorId, sensitivity }: PolicyRequest['agent']) {
  const parents = [uid('Team', owner), ...(blueprintId === '' ? [] : [uid('Blueprint', blueprintId)])];
  const most = sensitivities[sensitivity - 1] ?? 'public';
  return entity(uid('Agent', id), { sponsor: reference('Person', sponsorId), sensitivity: most }, parents);
}

function resourceEntity({ type, location, identifier }: PolicyRequest['resource']) {
  const parents = location === '' ? [] : [uid('Location', location)];
  return entity(uid('Resource', identifier), { type, location, identifier }, parents);
}

function entity(named: Uid, attrs: Readonly<Record<string, unknown>>, parents: readonly Uid[]) {
  return { uid: named, attrs, parents };
}

function uid(type: string, id: string): Uid {
  return { type, id };
}

function reference(type: string, id: string) {
  return { __entity: { type, id } };
}

function extension(fn: string, arg: string) {
  return { __extn: { fn, arg } };
}

/** Cedar's decimal needs a point. */
function decimalText(amount: string): string {
  return amount.includes('.') ? amount : `${amount}.0`;
}
