import { type FieldViolation, type Json, Refusal } from '@writ/kernel';
import { type Money, moneyJson, readMoney } from './money.js';
import { placeProblem } from './place.js';
import { FieldReader, member } from './reader.js';

/** Which values one attribute of an action may have; compared as text, case-sensitively. */
export interface FieldConstraint {
  readonly name: string;
  readonly oneOf: readonly string[];
}

/** What narrows a detail beyond its actions and places. */
export interface Constraints {
  /** The most that one action may move. */
  readonly amountMax?: Money;
  readonly fields?: readonly FieldConstraint[];
}

/**
 * One element of `authorization_details` (RFC 9396 section 2): the authority object of mandates, tokens,
 * decisions, approvals and records. A member that is left out does not narrow; a list that is there narrows
 * to its items.
 */
export interface AuthorizationDetail {
  /** `mcp_tool`, `http_api`, `vault_secret`, `database`, `payment`, or another word of [a-z0-9_]{1,64}. */
  readonly type: string;
  readonly actions: readonly string[];
  /** Places, each exact or ending in `/*`. */
  readonly locations?: readonly string[];
  readonly datatypes?: readonly string[];
  /** The thing itself, exact or ending in `/*`. */
  readonly identifier?: string;
  /** Levels the vault may hand out. Attenuated like everything else, but no action names them. */
  readonly privileges?: readonly string[];
  readonly constraints?: Constraints;
}

export const DETAILS_MAX = 32;
export const LIST_MAX = 64;
const typePattern = /^[a-z0-9_]{1,64}$/;
const verbPattern = /^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}$/;
const namePattern = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const listMembers = ['locations', 'actions', 'datatypes', 'privileges'] as const;

/**
 * Reads one detail. Every member is checked and unknown ones are refused, because a constraint that is not
 * understood would be a constraint that is not enforced.
 * @throws Refusal AUTHORIZATION_DETAILS_INVALID (RFC 9396 section 5), naming every bad field
 */
export function parseDetail(json: unknown, field = ''): AuthorizationDetail {
  const reader = new FieldReader();
  const detail = readDetail(reader, json, field);
  if (detail === undefined || reader.violations.length > 0) throw invalid(reader.violations);
  return detail;
}

/**
 * Reads 1 to 32 details.
 * @throws Refusal AUTHORIZATION_DETAILS_INVALID (RFC 9396 section 5), naming every bad field
 */
export function parseDetails(json: unknown, field = 'authorization_details'): readonly AuthorizationDetail[] {
  const reader = new FieldReader();
  const details = readDetails(reader, json, field);
  if (details === undefined || reader.violations.length > 0) throw invalid(reader.violations);
  return details;
}

export function readDetails(reader: FieldReader, json: unknown, field: string) {
  return reader.list(json, field, DETAILS_MAX, (item, at) => readDetail(reader, item, at));
}

/** The wire form of a detail, which parses back to the same detail. */
export function detailJson(detail: AuthorizationDetail): Json {
  const { identifier, constraints } = detail;
  const lists = listMembers.flatMap((name) =>
    detail[name] === undefined ? [] : [[name, detail[name]] as const],
  );
  return {
    type: detail.type,
    ...Object.fromEntries(lists),
    ...(identifier === undefined ? {} : { identifier }),
    ...(constraints === undefined ? {} : { constraints: constraintsJson(constraints) }),
  };
}

export function detailsJson(details: readonly AuthorizationDetail[]): readonly Json[] {
  return details.map(detailJson);
}

function constraintsJson({ amountMax, fields }: Constraints): Json {
  return {
    ...(amountMax === undefined ? {} : { amountMax: moneyJson(amountMax) }),
    ...(fields === undefined ? {} : { fields: fields.map(({ name, oneOf }) => ({ name, oneOf })) }),
  };
}

function readDetail(reader: FieldReader, json: unknown, field: string): AuthorizationDetail | undefined {
  const members = reader.object(json, field, ['type', ...listMembers, 'identifier', 'constraints']);
  if (members === undefined) return undefined;
  const texts = (name: string, item: (value: unknown, at: string) => string | undefined) =>
    members[name] === undefined ? undefined : reader.list(members[name], member(field, name), LIST_MAX, item);
  const type = readType(reader, members.type, member(field, 'type'));
  const actions = reader.list(members.actions, member(field, 'actions'), LIST_MAX, (value, at) =>
    readVerb(reader, value, at),
  );
  const locations = texts('locations', (value, at) => readPlace(reader, value, at, 'pattern'));
  const datatypes = texts('datatypes', (value, at) => readLiteral(reader, value, at));
  const privileges = texts('privileges', (value, at) => readLiteral(reader, value, at));
  const identifier =
    members.identifier === undefined
      ? undefined
      : readPlace(reader, members.identifier, member(field, 'identifier'), 'pattern');
  const constraints =
    members.constraints === undefined
      ? undefined
      : readConstraints(reader, members.constraints, member(field, 'constraints'));
  if (type === undefined || actions === undefined) return undefined;
  return {
    type,
    actions,
    ...(locations && { locations }),
    ...(datatypes && { datatypes }),
    ...(identifier !== undefined && { identifier }),
    ...(privileges && { privileges }),
    ...(constraints && { constraints }),
  };
}

function readConstraints(reader: FieldReader, json: unknown, field: string): Constraints | undefined {
  const members = reader.object(json, field, ['amountMax', 'fields']);
  if (members === undefined) return undefined;
  const { amountMax: amountJson, fields: fieldsJson } = members;
  if (amountJson === undefined && fieldsJson === undefined)
    return reader.wrong(field, 'must hold amountMax or fields; leave it out to constrain nothing');
  const amountMax =
    amountJson === undefined ? undefined : readMoney(reader, amountJson, member(field, 'amountMax'));
  const names = new Set<string>();
  const fields =
    fieldsJson === undefined
      ? undefined
      : reader.list(fieldsJson, member(field, 'fields'), LIST_MAX, (value, at) => {
          const constraint = readFieldConstraint(reader, value, at);
          if (constraint === undefined) return undefined;
          if (names.has(constraint.name))
            return reader.wrong(member(at, 'name'), `repeats \`${constraint.name}\``);
          names.add(constraint.name);
          return constraint;
        });
  return { ...(amountMax && { amountMax }), ...(fields && { fields }) };
}

function readFieldConstraint(reader: FieldReader, json: unknown, field: string): FieldConstraint | undefined {
  const members = reader.object(json, field, ['name', 'oneOf']);
  if (members === undefined) return undefined;
  const name = readName(reader, members.name, member(field, 'name'));
  const oneOf = reader.list(members.oneOf, member(field, 'oneOf'), LIST_MAX, (value, at) =>
    reader.text(value, at),
  );
  return name === undefined || oneOf === undefined ? undefined : { name, oneOf };
}

export function readType(reader: FieldReader, value: unknown, field: string): string | undefined {
  return reader.word(
    value,
    field,
    typePattern,
    'a word of 1 to 64 characters a-z, 0-9 and `_`, for example `payment`',
  );
}

/** Actions have no wildcard: what is allowed is said verb by verb. */
export function readVerb(reader: FieldReader, value: unknown, field: string): string | undefined {
  return reader.word(value, field, verbPattern, 'a verb such as `read` or `tools/call`, without wildcards');
}

/** The name of an attribute. */
export function readName(reader: FieldReader, value: unknown, field: string): string | undefined {
  return reader.word(value, field, namePattern, 'a letter, then up to 63 letters, digits, `_`, `.` or `-`');
}

/** Text that is compared whole; `*` is refused so that nobody takes it for a wildcard. */
export function readLiteral(reader: FieldReader, value: unknown, field: string): string | undefined {
  const text = reader.text(value, field);
  return text?.includes('*') ? reader.wrong(field, 'must not hold `*`; only places have a wildcard') : text;
}

export function readPlace(reader: FieldReader, value: unknown, field: string, allows: 'pattern' | 'exact') {
  const text = reader.text(value, field);
  const problem = text === undefined ? undefined : placeProblem(text, allows);
  return problem === undefined ? text : reader.wrong(field, problem);
}

function invalid(fields: readonly FieldViolation[]): Refusal<'AUTHORIZATION_DETAILS_INVALID'> {
  const [first] = fields;
  const where = first === undefined || first.field === '' ? 'the detail' : `\`${first.field}\``;
  const message = `authorization details are not valid: ${where} ${first?.description}`;
  return new Refusal('AUTHORIZATION_DETAILS_INVALID', 'invalid', message, fields);
}
