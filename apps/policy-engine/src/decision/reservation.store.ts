import { type LimitDemand, moneyToMessage, type Usage } from '@writ/authority';
import type { LimitUse } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { type Statements, schemasOf } from '@writ/event-store';

/**
 * What a decision takes for itself, in the transaction that records it: a request id, an approval, a part of each limit.
 * Rows are taken in the order of these functions and of their keys, by every replica, so that two never wait for each
 * other in a circle.
 */
const { views: schema } = schemasOf('policy-engine');

export interface RequestClaim {
  readonly sessionId: string;
  readonly requestId: string;
  readonly questionHash: string;
  readonly decisionId: string;
  readonly at: Date;
}

/** Tells a repeated question from another one under the same request id. */
export function questionHash(actionDigest: string, approvalId: string): string {
  return `${actionDigest} ${approvalId}`;
}

/** `<session>/<request>`; neither holds a slash. */
export function requestKey({ sessionId, requestId }: { sessionId: string; requestId: string }): string {
  return `${sessionId}/${requestId}`;
}

/** Answers the claims that came before, by `requestKey`; the others are taken now. Keys MUST differ. */
export async function grantRequests(
  tx: Statements,
  claims: readonly RequestClaim[],
): Promise<Map<string, RequestClaim>> {
  const sorted = claims.toSorted((a, b) => (requestKey(a) < requestKey(b) ? -1 : 1));
  const { rows } = await tx.query<RequestClaim>(
    `insert into ${schema}.decision_request (session_id, request_id, question_hash, decision_id, at)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
     on conflict do nothing returning session_id as "sessionId", request_id as "requestId"`,
    [
      sorted.map(({ sessionId }) => sessionId),
      sorted.map(({ requestId }) => requestId),
      sorted.map((claim) => claim.questionHash),
      sorted.map(({ decisionId }) => decisionId),
      sorted.map(({ at }) => at),
    ],
    'decision.request',
  );
  const granted = new Set(rows.map(requestKey));
  const before = sorted.filter((claim) => !granted.has(requestKey(claim)));
  if (before.length === 0) return new Map();
  const known = await tx.query<RequestClaim>(
    `select r.session_id as "sessionId", r.request_id as "requestId", r.question_hash as "questionHash",
            r.decision_id as "decisionId", r.at
     from ${schema}.decision_request r
     join unnest($1::text[], $2::text[]) as q (session_id, request_id) using (session_id, request_id)`,
    [before.map(({ sessionId }) => sessionId), before.map(({ requestId }) => requestId)],
    'decision.request-before',
  );
  return new Map(known.rows.map((claim) => [requestKey(claim), claim]));
}

interface ApprovalUse {
  readonly approvalId: string;
  readonly decisionId: string;
}

/** Answers the approvals that were free until now. Approval ids MUST differ. */
export async function useApprovals(tx: Statements, uses: readonly ApprovalUse[]): Promise<Set<string>> {
  const sorted = uses.toSorted((a, b) => (a.approvalId < b.approvalId ? -1 : 1));
  const { rows } = await tx.query<{ approval_id: string }>(
    `insert into ${schema}.approval_use (approval_id, decision_id) select * from unnest($1::text[], $2::text[])
     on conflict do nothing returning approval_id`,
    [sorted.map(({ approvalId }) => approvalId), sorted.map(({ decisionId }) => decisionId)],
    'decision.approval',
  );
  return new Set(rows.map(({ approval_id }) => approval_id));
}

/** Gives back approvals that this transaction took and did not need. */
export async function freeApprovals(tx: Statements, approvalIds: readonly string[]): Promise<void> {
  await tx.query(
    `delete from ${schema}.approval_use where approval_id = any($1)`,
    [approvalIds],
    'decision.approval-free',
  );
}

/** What has been used of each key, held until the transaction ends: nobody else reckons with it meanwhile. */
export async function holdUsage(tx: Statements, keys: readonly string[]): Promise<Map<string, Usage>> {
  // The update changes nothing; it makes an existing row lock and answer like a new one.
  const { rows } = await tx.query<{ key: string; currency: string | null; units: string; calls: string }>(
    `insert into ${schema}.limit_use as l (key) select * from unnest($1::text[])
     on conflict (key) do update set calls = l.calls returning key, currency, units, calls`,
    [keys.toSorted()],
    'decision.limit-hold',
  );
  return new Map(
    rows.map(({ key, currency, units, calls }) => {
      const amount = currency === null ? undefined : { currency, units: BigInt(units) };
      return [key, { calls: Number(calls), ...(amount && { amount }) }];
    }),
  );
}

/** Writes what `holdUsage` answered and somebody reckoned on. */
export async function putUsage(tx: Statements, usage: ReadonlyMap<string, Usage>): Promise<void> {
  const entries = [...usage];
  await tx.query(
    `update ${schema}.limit_use l set currency = u.currency, units = u.units, calls = u.calls
     from unnest($1::text[], $2::text[], $3::numeric[], $4::bigint[]) as u (key, currency, units, calls)
     where l.key = u.key`,
    [
      entries.map(([key]) => key),
      entries.map(([, { amount }]) => amount?.currency ?? null),
      entries.map(([, { amount }]) => (amount?.units ?? 0n).toString()),
      entries.map(([, { calls }]) => calls),
    ],
    'decision.limit-put',
  );
}

/** Replay: adds what a recorded allow has used. */
export async function addUses(tx: Statements, uses: readonly LimitUse[]): Promise<void> {
  for (const { key, amount, calls } of uses)
    await tx.query(
      `insert into ${schema}.limit_use as l (key, currency, units, calls) values ($1, $2, $3::numeric * 10000, $4)
       on conflict (key) do update set currency = coalesce(l.currency, excluded.currency),
         units = l.units + excluded.units, calls = l.calls + excluded.calls`,
      [key, amount?.currencyCode ?? null, amount?.value ?? '0', calls],
      'decision.limit-add',
    );
}

/** What one limit gave, as it is recorded: the amount only where a total counts it. */
export function limitUseOf({ key, amount, calls, limits }: LimitDemand): LimitUse {
  const counted = limits.amountTotal === undefined ? undefined : amount;
  return { key, amount: moneyToMessage(counted), calls: BigInt(calls) };
}
