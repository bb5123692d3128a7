import { type IdKind, isId, type Json, Refusal } from '@writ/kernel';
import { type AuthorizationDetail, detailsJson, readDetails } from './detail.js';
import { MAX_DEPTH } from './grant.js';
import { FieldReader, member } from './reader.js';

/** The longest life of an access token. */
export const TOKEN_TTL_SECONDS_MAX = 5 * 60;

/**
 * Who acts (RFC 8693 section 4.1). Outermost is the current actor; what is nested is history and gives no
 * rights.
 */
export interface Actor {
  readonly sub: string;
  readonly iss: string;
  readonly sub_profile: 'ai_agent';
  readonly act?: Actor;
}

/**
 * To what the token is bound: a certificate (RFC 8705 section 3.1) or a DPoP key (RFC 9449 section 6.1).
 */
export type Confirmation = { readonly 'x5t#S256': string } | { readonly jkt: string };

/** The claims of a Writ access token (RFC 9068), in their wire names. */
export interface AccessTokenClaims {
  readonly iss: string;
  /** The person at the root, who answers for it. */
  readonly sub: string;
  /** 1 to 8 audiences. */
  readonly aud: readonly string[];
  /** The agent that acts; equals `act.sub`. */
  readonly client_id: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Seconds since 1970; at most 300 after `iat`. */
  readonly exp: number;
  readonly jti: string;
  /** Session. */
  readonly sid: string;
  readonly mandate_id: string;
  /** From the hop below the mandate down; empty directly under it. One actor more than delegations. */
  readonly delegation_ids: readonly string[];
  readonly cnf: Confirmation;
  readonly act: Actor;
  readonly authorization_details: readonly AuthorizationDetail[];
  /** Enforcement points that know less of the watch feed than this deny. */
  readonly min_seq?: number;
}

const known = [
  'iss',
  'sub',
  'aud',
  'client_id',
  'iat',
  'exp',
  'jti',
  'sid',
  'mandate_id',
  'delegation_ids',
  'cnf',
  'act',
  'authorization_details',
  'min_seq',
];
const audiencesMax = 8;
const thumbprint = /^[A-Za-z0-9_-]{43}$/;
const secondsMax = 2 ** 40;

/**
 * Reads the payload of a token whose signature was verified. Strict: each claim is required (`min_seq`
 * aside), others are refused. Callers check `iss`, `aud`, `exp` and `cnf` against what they expect.
 * @throws Refusal TOKEN_CLAIMS_INVALID, kind `unauthenticated`
 */
export function parseClaims(json: unknown): AccessTokenClaims {
  const reader = new FieldReader();
  const claims = readClaims(reader, json);
  if (claims !== undefined) checkAgreement(reader, claims);
  if (claims !== undefined && reader.violations.length === 0) return claims;
  const [first] = reader.violations;
  const message = `token claims are not valid: \`${first?.field}\` ${first?.description}`;
  throw new Refusal('TOKEN_CLAIMS_INVALID', 'unauthenticated', message, reader.violations);
}

/** The payload to sign; parses back to the same claims. */
export function claimsJson(claims: AccessTokenClaims): { readonly [claim: string]: Json } {
  const { act, cnf, authorization_details, min_seq, ...plain } = claims;
  return {
    ...plain,
    cnf: { ...cnf },
    act: actorJson(act),
    authorization_details: detailsJson(authorization_details),
    ...(min_seq === undefined ? {} : { min_seq }),
  };
}

/** The agents of a token, from the one directly under the mandate to the current actor. */
export function actChain({ act }: { readonly act: Actor }): readonly string[] {
  const agentIds: string[] = [];
  for (let actor: Actor | undefined = act; actor !== undefined; actor = actor.act)
    agentIds.unshift(actor.sub);
  return agentIds;
}

/**
 * Nests agents, given from the one directly under the mandate to the current actor, which becomes the
 * outermost.
 */
export function buildAct(issuer: string, agentIds: readonly string[]): Actor {
  let act: Actor | undefined;
  for (const sub of agentIds) act = { sub, iss: issuer, sub_profile: 'ai_agent', ...(act && { act }) };
  if (act === undefined) throw new Error('a token needs at least one actor');
  return act;
}

function actorJson({ sub, iss, sub_profile, act }: Actor): Json {
  return { sub, iss, sub_profile, ...(act === undefined ? {} : { act: actorJson(act) }) };
}

function readClaims(reader: FieldReader, json: unknown): AccessTokenClaims | undefined {
  const claims = reader.object(json, '', known);
  if (claims === undefined) return undefined;
  const time = (name: string) => reader.integer(claims[name], name, 0, secondsMax);
  const iss = reader.text(claims.iss, 'iss');
  const sub = readId(reader, 'psn', claims.sub, 'sub');
  const aud = reader.list(claims.aud, 'aud', audiencesMax, (value, at) => reader.text(value, at));
  const client_id = readId(reader, 'agt', claims.client_id, 'client_id');
  const [iat, exp] = [time('iat'), time('exp')];
  const jti = readId(reader, 'tok', claims.jti, 'jti');
  const sid = readId(reader, 'ses', claims.sid, 'sid');
  const mandate_id = readId(reader, 'mdt', claims.mandate_id, 'mandate_id');
  const delegation_ids = readDelegations(reader, claims.delegation_ids);
  const cnf = readConfirmation(reader, claims.cnf);
  const act = readActor(reader, claims.act, 'act', 0);
  const authorization_details = readDetails(reader, claims.authorization_details, 'authorization_details');
  const min_seq =
    claims.min_seq === undefined
      ? undefined
      : reader.integer(claims.min_seq, 'min_seq', 0, Number.MAX_SAFE_INTEGER);
  if (!iss || !sub || !aud || !client_id || iat === undefined || exp === undefined) return undefined;
  if (!jti || !sid || !mandate_id || !delegation_ids || !cnf || !act || !authorization_details)
    return undefined;
  const ids = { jti, sid, mandate_id, delegation_ids };
  return {
    iss,
    sub,
    aud,
    client_id,
    iat,
    exp,
    ...ids,
    cnf,
    act,
    authorization_details,
    ...(min_seq !== undefined && { min_seq }),
  };
}

function readId<K extends IdKind>(
  reader: FieldReader,
  kind: K,
  value: unknown,
  field: string,
): string | undefined {
  if (typeof value === 'string' && isId(kind, value)) return value;
  return reader.wrong(field, `must be an id \`${kind}_…\``);
}

function readDelegations(reader: FieldReader, value: unknown): readonly string[] | undefined {
  if (Array.isArray(value) && value.length === 0) return [];
  return reader.list(value, 'delegation_ids', MAX_DEPTH, (item, at) => readId(reader, 'dlg', item, at));
}

function readConfirmation(reader: FieldReader, value: unknown): Confirmation | undefined {
  const members = reader.object(value, 'cnf', ['x5t#S256', 'jkt']);
  if (members === undefined) return undefined;
  const names = Object.keys(members);
  if (names.length !== 1) return reader.wrong('cnf', 'must hold exactly one of `x5t#S256` and `jkt`');
  const name = names[0] === 'jkt' ? 'jkt' : 'x5t#S256';
  const text = reader.word(members[name], member('cnf', name), thumbprint, 'a base64url SHA-256 digest');
  if (text === undefined) return undefined;
  return name === 'jkt' ? { jkt: text } : { 'x5t#S256': text };
}

function readActor(reader: FieldReader, value: unknown, field: string, depth: number): Actor | undefined {
  if (depth > MAX_DEPTH) return reader.wrong(field, `is nested deeper than ${MAX_DEPTH + 1} actors`);
  const members = reader.object(value, field, ['sub', 'iss', 'sub_profile', 'act']);
  if (members === undefined) return undefined;
  const sub = readId(reader, 'agt', members.sub, member(field, 'sub'));
  const iss = reader.text(members.iss, member(field, 'iss'));
  if (members.sub_profile !== 'ai_agent')
    return reader.wrong(member(field, 'sub_profile'), 'must be `ai_agent`');
  const nested = members.act;
  const act = nested === undefined ? undefined : readActor(reader, nested, member(field, 'act'), depth + 1);
  return sub === undefined || iss === undefined
    ? undefined
    : { sub, iss, sub_profile: 'ai_agent', ...(act && { act }) };
}

/** What must hold between claims that are each well formed. */
function checkAgreement(reader: FieldReader, claims: AccessTokenClaims): void {
  const { iat, exp, client_id, act, delegation_ids } = claims;
  if (exp <= iat || exp - iat > TOKEN_TTL_SECONDS_MAX)
    reader.wrong('exp', `must be 1 to ${TOKEN_TTL_SECONDS_MAX} seconds after \`iat\``);
  if (act.sub !== client_id) reader.wrong('client_id', 'must be the current actor, `act.sub`');
  const actors = actChain(claims).length;
  if (actors !== delegation_ids.length + 1)
    reader.wrong(
      'act',
      `must name ${delegation_ids.length + 1} actors, one more than delegations, names ${actors}`,
    );
}
