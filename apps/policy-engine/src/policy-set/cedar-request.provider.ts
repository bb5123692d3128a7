import type { CedarValueJson, Entities, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyContext, PolicyRequest } from '../decision/policy-request.js';
import { sensitivities } from '../decision/trust-ceiling.js';
import type { Reads } from './policy-reads.js';
import type { FittingAction } from './schema-fit.js';

/** A question as Cedar is asked it; `policies/README.md` describes the same for people who write policies. */
export function cedarCall(
  request: PolicyRequest,
  reads: Reads,
  { groups, attributes }: FittingAction,
): Omit<StatefulAuthorizationCall, 'preparsedPolicySetId'> {
  const { agent, actionName, resource } = request;
  const entities: Entities = [];
  if (reads.principal) entities.push(agentEntity(agent));
  if (reads.resource) entities.push(resourceEntity(resource));
  if (reads.action && groups.length > 0)
    entities.push({
      uid: uid('Action', actionName),
      attrs: {},
      parents: groups.map((id) => uid('Action', id)),
    });
  const declared = Object.entries(request.attributes).filter(([name]) => attributes.has(name));
  const reading = (member: string) => reads.context === 'all' || reads.context.has(member);
  const context: Record<string, CedarValueJson> = {};
  for (const [member, value] of contextMembers(request.context))
    if (reading(member)) context[member] = value();
  if (reading('attributes')) context.attributes = Object.fromEntries(declared);
  return {
    principal: uid('Agent', reads.principal ? agent.id : unread),
    action: uid('Action', actionName),
    resource: uid('Resource', reads.resource ? resource.identifier : unread),
    context,
    entities,
  };
}

/** Stands for an id that no policy looks at. */
const unread = '';

/** Why the attributes that the caller sent do not fit their declarations. */
export function attributeErrors(request: PolicyRequest, { attributes }: FittingAction): readonly string[] {
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

function contextMembers(context: PolicyContext): readonly (readonly [string, () => CedarValueJson])[] {
  const { amount, currency } = context;
  return [
    ['purpose', () => context.purpose],
    ['task', () => context.task],
    ['person', () => reference('Person', context.personId)],
    ['agents', () => context.agentIds.map((id) => reference('Agent', id))],
    ['depth', () => context.depth],
    ['trust', () => context.trust],
    ['environment', () => context.environment],
    ['datatypes', () => [...context.datatypes]],
    ['now', () => extension('datetime', context.at.toISOString())],
    ...(amount === undefined ? [] : [['amount', () => extension('decimal', decimalText(amount))] as const]),
    ...(currency === undefined ? [] : [['currency', () => currency] as const]),
  ];
}

function agentEntity({ id, owner, blueprintId, sponsorId, sensitivity }: PolicyRequest['agent']) {
  const parents = [uid('Team', owner), ...(blueprintId === '' ? [] : [uid('Blueprint', blueprintId)])];
  const most = sensitivities[sensitivity - 1] ?? 'public';
  return {
    uid: uid('Agent', id),
    attrs: { sponsor: reference('Person', sponsorId), sensitivity: most },
    parents,
  };
}

function resourceEntity({ type, location, identifier }: PolicyRequest['resource']) {
  const parents = location === '' ? [] : [uid('Location', location)];
  return { uid: uid('Resource', identifier), attrs: { type, location, identifier }, parents };
}

function uid(type: string, id: string) {
  return { type, id };
}

function reference(type: string, id: string): CedarValueJson {
  return { __entity: { type, id } };
}

function extension(fn: string, arg: string): CedarValueJson {
  return { __extn: { fn, arg } };
}

/** Cedar's decimal needs a point. */
function decimalText(amount: string): string {
  return amount.includes('.') ? amount : `${amount}.0`;
}
