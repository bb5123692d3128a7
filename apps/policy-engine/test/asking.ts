import { type KeyObject, randomUUID, sign } from 'node:crypto';
import { buildAct, claimsJson } from '@writ/authority';
import type { DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import type { Action, Position } from '@writ/contracts/writ/type/v1/authority.js';
import type { Id } from '@writ/kernel';
import { type Identity, refusalOf } from '@writ/service';

export const ISSUER = 'https://broker.writ.test';
export const AUDIENCE = 'writ';
export const PURPOSE = 'September supplier run';
export const KEY_ID = 'key_01K41M7JG00000000000000KEY';

/** An agent at work: what a test needs to ask in its name. */
export interface Worker {
  readonly agentId: Id<'agt'>;
  readonly identity: Identity;
  readonly sessionId: Id<'ses'>;
  readonly mandateId: Id<'mdt'>;
  readonly token: string;
  /** Where its session is recorded. */
  readonly position: Position;
}

/** What of a token differs from a good one. */
export interface TokenWish {
  readonly claims?: object;
  readonly key?: KeyObject;
  readonly header?: object;
}

interface TokenOrder extends TokenWish {
  readonly worker: Omit<Worker, 'token'>;
  readonly personId: string;
  readonly iat: number;
  readonly tokenId: string;
  readonly key: KeyObject;
}

/** An access token as the session broker makes them. */
export function signedToken({ worker, personId, iat, tokenId, key, claims, header }: TokenOrder): string {
  const good = claimsJson({
    iss: ISSUER,
    sub: personId,
    aud: [AUDIENCE],
    client_id: worker.agentId,
    iat,
    exp: iat + 300,
    jti: tokenId,
    sid: worker.sessionId,
    mandate_id: worker.mandateId,
    delegation_ids: [],
    cnf: { 'x5t#S256': worker.identity.current().certificateSha256 },
    act: buildAct(ISSUER, [worker.agentId]),
    authorization_details: [{ type: 'payment', actions: ['pay'] }],
  });
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const signed = `${part({ alg: 'ES256', typ: 'at+jwt', kid: KEY_ID, ...header })}.${part({ ...good, ...claims })}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

export function payment(value: string, currencyCode = 'EUR'): Action {
  const amount = { currencyCode, value };
  return {
    type: 'payment',
    name: 'pay',
    location: 'pg://erp',
    identifier: 'invoices/A',
    datatypes: [],
    amount,
    attributes: [],
  };
}

export function question(
  worker: Worker,
  action: Action | undefined,
  wish: Partial<DecideRequest> = {},
): DecideRequest {
  return {
    token: worker.token,
    presentedCertificateSha256: worker.identity.current().certificateSha256,
    action,
    approvalId: '',
    atLeast: [],
    requestId: '',
    ...wish,
  };
}

export function newRequestId(): string {
  return randomUUID();
}

/** The closed code of what a call was refused with. */
export async function refusedWith(
  call: Promise<unknown>,
): Promise<{ reason: string; fields: readonly string[] }> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return { reason: 'not refused', fields: [] };
  const refusal = refusalOf(error);
  return {
    reason: refusal?.reason ?? String(error),
    fields: (refusal?.fields ?? []).map(({ field }) => field),
  };
}
