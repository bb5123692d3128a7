import { type Action, parseAction } from '@writ/authority';
import { Refusal, refusals } from '@writ/kernel';
import { isMembers, type MemberReader, type Members, own } from './members.js';

/**
 * What a request of the AuthZEN Authorization API 1.0 means here. `subject` is the agent; `resource.type` is the type of the
 * action, `resource.id` its identifier; `action.name` its verb; `properties` of both are amount, location, data types and
 * attributes; `context` holds what proves the question: token, certificate, approval. Whatever cannot be said in these
 * terms is refused and never guessed.
 */

export const SUBJECT_TYPE = 'agent';

/** Who asks for what, and by what token. */
export interface Tuple {
  readonly subject: Members | undefined;
  readonly action: Members | undefined;
  readonly resource: Members | undefined;
  readonly context: Members | undefined;
}

/** What proves a question, and what it stands on. */
export interface Proof {
  readonly token: string;
  readonly presentedCertificateSha256: string;
  readonly approvalId: string;
  readonly atLeast: { source: string; pos: bigint }[];
  readonly requestId: string;
}

export interface Entity {
  readonly type: string;
  readonly id: string;
}

export const refuse = refusals({ SUBJECT_MISMATCH: 'invalid' });

/** The four parts of one evaluation, unread. */
export function tupleOf(reader: MemberReader, members: Members): Tuple {
  const part = (name: string) => {
    const value = own(members, name);
    return value === undefined ? undefined : reader.object(value, name);
  };
  return {
    subject: part('subject'),
    action: part('action'),
    resource: part('resource'),
    context: part('context'),
  };
}

export function readSubject(reader: MemberReader, { subject }: Tuple): Entity {
  const members = subject ?? reader.object(undefined, 'subject') ?? {};
  if (subject === undefined) return { type: '', id: '' };
  return {
    type: reader.text(own(members, 'type'), 'subject.type'),
    id: reader.text(own(members, 'id'), 'subject.id'),
  };
}

/** Of a decision: the subject must be an agent. */
export function readAgent(reader: MemberReader, tuple: Tuple): string {
  const { type, id } = readSubject(reader, tuple);
  if (type !== '' && type !== SUBJECT_TYPE) reader.wrong('subject.type', `must be \`${SUBJECT_TYPE}\``);
  if (type === SUBJECT_TYPE && id === '') reader.wrong('subject.id', 'must be the id of an agent');
  return id;
}

/** What stands in `context`. Its rules are those of `Decide`, and looked at where those are. */
export function readProof(reader: MemberReader, { context = {} }: Tuple): Proof {
  const text = (name: string) => reader.optionalText(own(context, name), `context.${name}`);
  return {
    token: text('token'),
    presentedCertificateSha256: text('presented_certificate_sha256'),
    approvalId: readApprovalId(reader, context, text('approval_id')),
    atLeast: readPositions(reader, own(context, 'at_least')),
    requestId: text('request_id'),
  };
}

/** As `context.approval_id`, or as the access request draft has it, `context.approval.id`. */
function readApprovalId(reader: MemberReader, context: Members, plain: string): string {
  const approval = reader.optionalObject(own(context, 'approval'), 'context.approval');
  const drafted = reader.optionalText(own(approval, 'id'), 'context.approval.id');
  if (plain !== '' && drafted !== '' && plain !== drafted)
    reader.wrong('context.approval.id', 'must be the same as `context.approval_id`');
  return plain === '' ? drafted : plain;
}

function readPositions(reader: MemberReader, value: unknown): { source: string; pos: bigint }[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    reader.wrong('context.at_least', 'must be a list');
    return [];
  }
  return value.flatMap((item: unknown, place) => {
    const field = `context.at_least[${place}]`;
    const members = reader.object(item ?? undefined, field);
    if (members === undefined) return [];
    const source = reader.text(own(members, 'source'), `${field}.source`);
    const pos = own(members, 'pos');
    // 64-bit numbers are text in JSON; a number is taken as long as it is exact.
    if (typeof pos === 'number' && Number.isSafeInteger(pos)) return [{ source, pos: BigInt(pos) }];
    if (typeof pos === 'string' && /^\d{1,16}$/.test(pos)) return [{ source, pos: BigInt(pos) }];
    reader.wrong(`${field}.pos`, 'must be a position: a whole number, or its digits as text');
    return [];
  });
}

/** Where an action came from in the request, so that what is wrong with it is named there. */
const placeOf: Readonly<Record<string, string>> = {
  'action.type': 'resource.type',
  'action.identifier': 'resource.id',
  'action.location': 'resource.properties.location',
  'action.datatypes': 'resource.properties.datatypes',
  'action.amount': 'action.properties.amount',
};
const ofTheAction = ['amount'];
const ofTheResource = ['location', 'datatypes'];

/**
 * The action that verb and resource name together. An empty `resource.id` is an action that names no thing.
 * @param given what the request does not say: the verb or the thing that is searched for
 * @throws Refusal INVALID_ARGUMENT, ACTION_INVALID, naming every bad member
 */
export function readAction(
  reader: MemberReader,
  { action, resource }: Pick<Tuple, 'action' | 'resource'>,
  given: { readonly name?: string; readonly id?: string; readonly location?: string } = {},
): Action | undefined {
  const verb = action ?? (given.name === undefined ? reader.object(undefined, 'action') : {});
  const thing = reader.object(resource, 'resource');
  const name = given.name ?? (verb && reader.text(own(verb, 'name'), 'action.name'));
  const type = thing && reader.text(own(thing, 'type'), 'resource.type');
  const id = given.id ?? (thing && reader.text(own(thing, 'id'), 'resource.id'));
  const verbs = reader.optionalObject(own(verb ?? {}, 'properties'), 'action.properties');
  const things = reader.optionalObject(own(thing ?? {}, 'properties'), 'resource.properties');
  const attributes = readAttributes(reader, verbs, things);
  if (reader.violations.length > 0) return undefined;
  const json = {
    type,
    name,
    identifier: id === '' ? undefined : id,
    location: given.location ?? own(things, 'location'),
    datatypes: own(things, 'datatypes'),
    amount: own(verbs, 'amount'),
    attributes,
  };
  return inRequestTerms(() => parseAction(json), things);
}

/** Every other property of either is an attribute of the action. */
function readAttributes(reader: MemberReader, verbs: Members, things: Members): Members {
  for (const name of ofTheResource)
    if (own(verbs, name) !== undefined)
      reader.wrong(`action.properties.${name}`, `belongs into \`resource.properties\``);
  for (const name of ofTheAction)
    if (own(things, name) !== undefined)
      reader.wrong(`resource.properties.${name}`, `belongs into \`action.properties\``);
  const ofEither = Object.keys(things).filter((name) => ![...ofTheAction, ...ofTheResource].includes(name));
  for (const name of ofEither)
    if (Object.hasOwn(verbs, name))
      reader.wrong(
        `resource.properties.${name.slice(0, 65)}`,
        'is a property of the action too; say it once',
      );
  return Object.fromEntries([
    ...Object.entries(verbs).filter(([name]) => !ofTheAction.includes(name)),
    ...Object.entries(things).filter(([name]) => !ofTheResource.includes(name)),
  ]);
}

function inRequestTerms<T>(read: () => T, things: Members): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal) || error.fields.length === 0) throw error;
    const fields = error.fields.map(({ field, description }) => ({
      field: requestPath(field, things),
      description,
    }));
    const [first] = fields;
    throw new Refusal(
      error.code,
      error.kind,
      `action is not valid: \`${first?.field}\` ${first?.description}`,
      fields,
    );
  }
}

function requestPath(field: string, things: Members): string {
  const [, head = '', rest = ''] = /^(action\.[a-z]+)(.*)$/.exec(field) ?? [];
  if (head !== 'action.attributes') return `${placeOf[head] ?? head}${rest}`;
  const side = Object.hasOwn(things, rest.slice(1)) ? 'resource' : 'action';
  return `${side}.properties${rest}`;
}

export const semantics = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;
export type Semantic = (typeof semantics)[number];

export const EVALUATIONS_MAX = 100;

export interface Batch {
  /** Undefined when there is no list, or an empty one: then it is one evaluation. */
  readonly items: readonly unknown[] | undefined;
  readonly semantic: Semantic;
}

/** @throws Refusal INVALID_ARGUMENT: what is wrong with the whole, not with one of its evaluations */
export function readBatch(reader: MemberReader, body: Members): Batch {
  const items = own(body, 'evaluations') ?? [];
  const options = reader.optionalObject(own(body, 'options'), 'options');
  const wish = own(options, 'evaluations_semantic') ?? 'execute_all';
  const semantic = semantics.find((known) => known === wish);
  if (semantic === undefined)
    reader.wrong(
      'options.evaluations_semantic',
      `must be one of ${semantics.map((one) => `\`${one}\``).join(', ')}`,
    );
  if (!Array.isArray(items)) reader.wrong('evaluations', 'must be a list');
  else if (items.length > EVALUATIONS_MAX)
    reader.wrong('evaluations', `must have at most ${EVALUATIONS_MAX} items, has ${items.length}`);
  reader.end();
  const list = items as readonly unknown[];
  return { items: list.length === 0 ? undefined : list, semantic: semantic ?? 'execute_all' };
}

/** What a part of an evaluation must have; where it lacks one, that of the defaults is taken. */
const requiredOf: Readonly<Record<keyof Tuple, readonly string[]>> = {
  subject: ['type', 'id'],
  action: ['name'],
  resource: ['type', 'id'],
  context: ['token', 'presented_certificate_sha256'],
};

/**
 * One evaluation of many with the defaults of the whole. A part that an evaluation has replaces the default's whole part;
 * only what every such part must have is filled in (certification scenario, section 3.2.7).
 */
export function withDefaults(item: Members, defaults: Members): Members {
  const parts = (Object.keys(requiredOf) as (keyof Tuple)[]).flatMap((name) => {
    const [given, otherwise] = [own(item, name), own(defaults, name)];
    if (given === undefined) return otherwise === undefined ? [] : [[name, otherwise] as const];
    if (!isMembers(given) || !isMembers(otherwise)) return [[name, given] as const];
    const lacking = requiredOf[name].filter((member) => own(given, member) === undefined);
    return [
      [name, { ...given, ...Object.fromEntries(lacking.map((one) => [one, own(otherwise, one)])) }] as const,
    ];
  });
  return Object.fromEntries(parts);
}

/** Whether a batch ends with this answer. */
export function endsWith(semantic: Semantic, decision: boolean): boolean {
  return semantic === (decision ? 'permit_on_first_permit' : 'deny_on_first_deny');
}

/** For whoever uses the agent and knows nothing of policies. */
export function reasonForUser(reason: string): string {
  if (reason === 'APPROVAL_REQUIRED') return 'A person must approve this first.';
  if (reason.startsWith('APPROVAL_')) return 'The approval does not hold for this.';
  if (reason.startsWith('LIMIT_')) return 'What the agent was given for this is used up.';
  if (reason.startsWith('POLICY_')) return 'A policy does not permit this.';
  if (reason.startsWith('MANDATE_') || reason.startsWith('DELEGATION_'))
    return 'This is outside what the agent was given authority for.';
  if (reason === 'REQUEST_ID_REUSED') return 'The same request was sent before with other content.';
  return 'The agent may not act now.';
}
