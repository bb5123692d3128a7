import type { IssueLeaseRequest } from '@writ/contracts/writ/vault/v1/lease.js';
import { LeaseState } from '@writ/contracts/writ/vault/v1/lease.js';
import { refusalOf } from '@writ/service';
import type { House, TestSession } from './house.js';

/** A wish for a lease that says nothing more than it must. */
export function leaseWish(
  token: string,
  databaseRoleId: string,
  more: Partial<IssueLeaseRequest> = {},
): IssueLeaseRequest {
  return {
    token,
    presentedCertificateSha256: '',
    databaseRoleId,
    ttlSeconds: 0,
    approvalId: '',
    atLeast: [],
    requestId: '',
    ...more,
  };
}

/** How the tests ask for leases: as the agent of a session, and looking on as an administrator. */
export function leasesOf(house: House) {
  const list = (sessionId: string) => ({ pageSize: 0, pageToken: '', sessionId, state: 0 });
  const get = (leaseId: string) => house.leases(house.admin).getLease({ leaseId });
  return {
    list,
    get,
    async issue(
      session: TestSession,
      databaseRoleId: string,
      more: Partial<IssueLeaseRequest> = {},
      deadlineMs = 2_000,
    ) {
      const wish = leaseWish(session.token, databaseRoleId, more);
      const client = house.leases(session.agent.identity);
      const { lease, username, password } = await client.issueLease(wish, { deadlineMs });
      if (lease === undefined) throw new Error('no lease was answered');
      return { lease, leaseId: lease.leaseId, username, password };
    },
    isRevoked: async (leaseId: string) => (await get(leaseId)).state === LeaseState.LEASE_STATE_REVOKED,
    ofSession: async ({ sessionId }: TestSession) =>
      (await house.leases(house.admin).listLeases(list(sessionId))).leases,
  };
}

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'not refused',
    (cause: unknown) => cause,
  );
}

/** The closed code with which a call was refused. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error = await errorOf(call);
  return refusalOf(error)?.reason ?? String(error);
}

/** The fields that a refusal names. */
export async function fieldsOf(call: Promise<unknown>): Promise<string[]> {
  return (refusalOf(await errorOf(call))?.fields ?? []).map(({ field }) => field);
}

/** The claims of a token, to make others from. */
export function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
