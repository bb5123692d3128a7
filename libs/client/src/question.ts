import { type AttributeValue, actionToMessage, parseAction } from '@writ/authority';
import { DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import { type FieldViolation, isId, Refusal } from '@writ/kernel';

/** The most that a message to the engine may weigh, in bytes; it refuses larger ones unread. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;
const POSITIONS_MAX = 8;

/** May the agent that holds this token do this? */
export interface Question {
  /** Access token of the agent's session, as the agent presented it. */
  readonly token: string;
  /**
   * base64url SHA-256 of the certificate that the agent presented to the caller. A client that is itself an agent leaves
   * it out.
   */
  readonly presentedCertificateSha256?: string;
  readonly action: AskedAction;
  /** `apr_…` when a person has approved exactly this action. */
  readonly approvalId?: string;
  /** What the engine must know before it decides, 8 at most; it waits up to 500 ms for it, then denies as stale. */
  readonly atLeast?: readonly AskedPosition[];
  /** A UUID of the caller's own, to ask the same once more in another process; one is made when there is none. */
  readonly requestId?: string;
}

/** What an agent wants to do now. It names one thing: no wildcards. */
export interface AskedAction {
  /** Kind of thing: `payment`, `database`. */
  readonly type: string;
  /** The verb: `pay`, `read`. */
  readonly name: string;
  readonly location?: string;
  readonly identifier?: string;
  readonly datatypes?: readonly string[];
  /** ISO 4217 and decimal text: `{ currency: 'EUR', value: '1200.50' }`. */
  readonly amount?: { readonly currency: string; readonly value: string };
  /** Numbers are whole and within 2^53; a fraction is sent as text. */
  readonly attributes?: { readonly [name: string]: AttributeValue };
}

export interface AskedPosition {
  /** Service name: `session-broker`. */
  readonly source: string;
  /** From 1. */
  readonly pos: number | bigint;
}

/** A question as it travels. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly requestId: string;
  /** It may wait for facts, and would keep those waiting that are asked along with it. */
  readonly waits: boolean;
}

const members: readonly string[] = [
  'token',
  'presentedCertificateSha256',
  'action',
  'approvalId',
  'atLeast',
  'requestId',
];
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const digest = /^[A-Za-z0-9_-]{43}$/;
const serviceName = /^[a-z][a-z-]{0,62}$/;

/**
 * Checks a question and puts it into the contract's words.
 * @param isAgent whether the client's own certificate is an agent's
 * @throws Refusal QUESTION_INVALID, naming every bad field by the question's own words, and no value
 */
export function messageOf(question: Question, o: { isAgent: boolean; newRequestId(): string }): Message {
  const violations: FieldViolation[] = [];
  const given: { readonly [member: string]: unknown } =
    typeof question === 'object' && question !== null ? { ...question } : {};
  for (const [field, description] of Object.entries(problemsOf(given, o.isAgent)))
    if (description !== undefined) violations.push({ field, description });
  const action = actionOf(given.action, violations);
  if (action === undefined || violations.length > 0) throw invalid(violations);
  const { token, presentedCertificateSha256 = '', approvalId = '', atLeast = [] } = question;
  const requestId = question.requestId ?? o.newRequestId();
  const request = {
    token,
    presentedCertificateSha256,
    action: actionToMessage(action),
    approvalId,
    atLeast: atLeast.map(({ source, pos }) => ({ source, pos: BigInt(pos) })),
    requestId,
  };
  const bytes = DecideRequest.encode(request).finish();
  if (bytes.length > MESSAGE_BYTES_MAX)
    throw invalid([{ field: '', description: `weighs ${bytes.length} bytes, at most ${MESSAGE_BYTES_MAX}` }]);
  return { bytes, requestId, waits: atLeast.length > 0 };
}

type Problem = string | undefined;

function problemsOf(
  given: { readonly [member: string]: unknown },
  isAgent: boolean,
): Readonly<Record<string, Problem>> {
  const { token, presentedCertificateSha256: certificate, approvalId, atLeast, requestId } = given;
  const unknown = Object.keys(given).filter((name) => !members.includes(name));
  return {
    ...Object.fromEntries(
      unknown.map((name) => [name.slice(0, 64), `is not a member; use ${members.join(', ')}`]),
    ),
    token: typeof token === 'string' && token !== '' ? undefined : 'must be the text of a token',
    presentedCertificateSha256:
      isAgent && certificate === undefined
        ? undefined
        : matching(certificate, digest, 'the base64url SHA-256 of a certificate'),
    approvalId: optional(approvalId, (value) =>
      typeof value === 'string' && isId('apr', value) ? undefined : 'must be `apr_` and a ULID',
    ),
    atLeast: optional(atLeast, positionsProblem),
    requestId: optional(requestId, (value) => matching(value, uuid, 'a UUID')),
  };
}

function optional(value: unknown, rule: (value: unknown) => Problem): Problem {
  return value === undefined ? undefined : rule(value);
}

function matching(value: unknown, pattern: RegExp, form: string): Problem {
  return typeof value === 'string' && pattern.test(value) ? undefined : `must be ${form}`;
}

function positionsProblem(value: unknown): Problem {
  if (!Array.isArray(value) || value.length > POSITIONS_MAX)
    return `must be a list of at most ${POSITIONS_MAX} positions`;
  return value.every(isPosition)
    ? undefined
    : 'must hold positions: the name of a service, and a number from 1';
}

function isPosition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { source, pos } = value as { source?: unknown; pos?: unknown };
  const whole = typeof pos === 'bigint' || (typeof pos === 'number' && Number.isSafeInteger(pos));
  return typeof source === 'string' && serviceName.test(source) && whole && pos >= 1 && pos <= maxPos;
}

const maxPos = BigInt(Number.MAX_SAFE_INTEGER);

function actionOf(action: unknown, violations: FieldViolation[]): ReturnType<typeof parseAction> | undefined {
  try {
    return parseAction(action);
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    violations.push(...cause.fields);
    return undefined;
  }
}

function invalid(violations: readonly FieldViolation[]): Refusal<'QUESTION_INVALID'> {
  const said = violations.map(
    ({ field, description }) => `${field === '' ? 'it' : `\`${field}\``} ${description}`,
  );
  return new Refusal(
    'QUESTION_INVALID',
    'invalid',
    `the question is not valid: ${said.join('; ')}`,
    violations,
  );
}
