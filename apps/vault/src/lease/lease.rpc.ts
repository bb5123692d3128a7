import { Injectable } from '@nestjs/common';
import {
  type DatabaseRole,
  type DefineDatabaseRoleRequest,
  type GetDatabaseRoleRequest,
  type GetLeaseRequest,
  type IssueLeaseRequest,
  type IssueLeaseResponse,
  type Lease,
  LeaseServiceService,
  LeaseState,
  type ListDatabaseRolesRequest,
  type ListDatabaseRolesResponse,
  type ListLeasesRequest,
  type ListLeasesResponse,
  type RenewLeaseRequest,
  type RevokeLeaseRequest,
} from '@writ/contracts/writ/vault/v1/lease.js';
import { CommandHandler } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  enumValue,
  id,
  integer,
  list,
  matching,
  optional,
  Pages,
  type Problem,
  required,
} from '@writ/service';
import { databaseRoleFacts } from '../database-role/database-role.facts.js';
import { databaseRoleDecider, TTL_SECONDS_MAX, TTL_SECONDS_MIN } from '../database-role/database-role.js';
import { type DatabaseRoleRow, DatabaseRoleView } from '../database-role/database-role.view.js';
import { SecretFlow } from '../secret/secret.flow.js';
import { positions, presentedToken } from '../session/presented-fields.message.js';
import { LeaseFlow } from './lease.flow.js';
import { refuse } from './lease.js';
import { type LeaseRow, type LeaseStatus, LeaseView } from './lease.view.js';

const keepers = ['role:admin', 'role:operator', 'role:security'] as const;
const readers = [...keepers, 'role:auditor'] as const;

/** An agent sees and ends its own leases only; the edge checks that. */
export const leaseAccess = {
  defineDatabaseRole: keepers,
  getDatabaseRole: [...readers, 'agent', 'enforcement-point'],
  listDatabaseRoles: [...readers, 'agent', 'enforcement-point'],
  issueLease: ['agent', 'enforcement-point'],
  // The request has no place for the certificate that an agent showed to an enforcement point, so agents renew themselves.
  renewLease: ['agent'],
  revokeLease: [...keepers, 'agent'],
  getLease: [...readers, 'agent'],
  listLeases: [...readers, 'agent'],
} as const satisfies Access<typeof LeaseServiceService>;

const stateOf: Readonly<Record<LeaseStatus, LeaseState>> = {
  active: LeaseState.LEASE_STATE_ACTIVE,
  revoking: LeaseState.LEASE_STATE_REVOKING,
  'revocation-failed': LeaseState.LEASE_STATE_REVOCATION_FAILED,
  revoked: LeaseState.LEASE_STATE_REVOKED,
};

/** The name of a role is the location of an action: one place, without wildcards or steps. */
const roleName = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
/** An identifier of PostgreSQL, which cuts longer ones. */
const NAME_BYTES_MAX = 63;
const thumbprint = /^[A-Za-z0-9_-]{43}$/;

@Injectable()
export class LeaseRpc implements Calls<typeof LeaseServiceService> {
  static readonly service = LeaseServiceService;
  static readonly access = leaseAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly flow: LeaseFlow,
    private readonly leases: LeaseView,
    private readonly roles: DatabaseRoleView,
    private readonly secrets: SecretFlow,
    private readonly pages: Pages,
  ) {}

  async defineDatabaseRole(request: DefineDatabaseRoleRequest, call: Call): Promise<DatabaseRole> {
    const { displayName, secretId, memberOf, ttlSecondsMax } = request;
    check({
      displayName: matching(displayName, roleName, 'small letters, digits, `.`, `_` and `-`, 1 to 63'),
      secretId: id('sec', secretId),
      memberOf: list(memberOf, { min: 1, max: 16, rule: databaseName }),
      ttlSecondsMax: integer(ttlSecondsMax, { min: TTL_SECONDS_MIN, max: TTL_SECONDS_MAX }),
    });
    await this.secrets.get(secretId);
    const databaseRoleId = call.newId('dbr');
    const { streamId } = await this.commands.handle({
      decider: databaseRoleDecider,
      facts: databaseRoleFacts,
      streamId: `database-role-${databaseRoleId}`,
      kind: 'database-role',
      partKey: databaseRoleId,
      command: { type: 'DefineDatabaseRole', databaseRoleId, displayName, secretId, memberOf, ttlSecondsMax },
      call,
    });
    return roleMessage(await this.roles.get(streamId.slice('database-role-'.length)));
  }

  async getDatabaseRole({ databaseRoleId }: GetDatabaseRoleRequest): Promise<DatabaseRole> {
    check({ databaseRoleId: id('dbr', databaseRoleId) });
    return roleMessage(await this.roles.get(databaseRoleId));
  }

  async listDatabaseRoles(request: ListDatabaseRolesRequest, call: Call): Promise<ListDatabaseRolesResponse> {
    const page = this.pages.open(request, { list: 'databaseRoles', caller: call.actor });
    const roles = await this.roles.list(page.after, page.size + 1);
    const { rows, nextPageToken } = page.cut(roles, (role) => role.databaseRoleId);
    return { databaseRoles: rows.map(roleMessage), nextPageToken };
  }

  async issueLease(request: IssueLeaseRequest, call: Call): Promise<IssueLeaseResponse> {
    const { token, presentedCertificateSha256, databaseRoleId, ttlSeconds, approvalId, atLeast } = request;
    check({
      token: presentedToken(token),
      presentedCertificateSha256: certificateProblem(presentedCertificateSha256, call),
      databaseRoleId: id('dbr', databaseRoleId),
      ttlSeconds: integer(ttlSeconds, { min: 0, max: TTL_SECONDS_MAX }),
      approvalId: optional(approvalId, id('apr', approvalId)),
      atLeast: positions(atLeast),
    });
    const certificateSha256 = presentedCertificateSha256;
    const wish = { token, certificateSha256, databaseRoleId, ttlSeconds, approvalId, atLeast };
    const { lease, password } = await this.flow.issue(wish, call);
    return { lease: leaseMessage(lease), username: lease.username, password: password.reveal() };
  }

  async renewLease({ token, leaseId, ttlSeconds }: RenewLeaseRequest, call: Call): Promise<Lease> {
    check({
      token: presentedToken(token),
      leaseId: id('lse', leaseId),
      ttlSeconds: integer(ttlSeconds, { min: 0, max: TTL_SECONDS_MAX }),
    });
    await this.#requireOwn(leaseId, call);
    const wish = { token, leaseId, ttlSeconds, certificateSha256: '', atLeast: [] };
    return leaseMessage(await this.flow.renew(wish, call));
  }

  async revokeLease({ leaseId }: RevokeLeaseRequest, call: Call): Promise<Lease> {
    check({ leaseId: id('lse', leaseId) });
    await this.#requireOwn(leaseId, call);
    return leaseMessage(await this.flow.revoke(leaseId, call));
  }

  async getLease({ leaseId }: GetLeaseRequest, call: Call): Promise<Lease> {
    check({ leaseId: id('lse', leaseId) });
    return leaseMessage(await this.#requireOwn(leaseId, call));
  }

  async listLeases(request: ListLeasesRequest, call: Call): Promise<ListLeasesResponse> {
    const { sessionId, state } = request;
    check({
      sessionId: optional(sessionId, id('ses', sessionId)),
      state: state === 0 ? undefined : enumValue(LeaseState, state),
    });
    const status = statusOf(state);
    const agentId = call.caller.kind === 'agent' ? call.caller.id : '';
    const page = this.pages.open(request, { list: 'leases', sessionId, status, caller: call.actor });
    const leases = await this.leases.list(page.after, page.size + 1, { sessionId, agentId, status });
    const { rows, nextPageToken } = page.cut(leases, (lease) => lease.leaseId);
    return { leases: rows.map(leaseMessage), nextPageToken };
  }

  /** For an agent another's lease does not exist. */
  async #requireOwn(leaseId: string, { caller }: Call): Promise<LeaseRow> {
    const lease = await this.leases.get(leaseId);
    if (caller.kind === 'agent' && lease.agentId !== caller.id)
      throw refuse('LEASE_UNKNOWN', `no lease \`${leaseId}\``);
    return lease;
  }
}

/** An agent's certificate is that of its connection; an enforcement point says which one the agent showed to it. */
function certificateProblem(presented: string, { caller }: Call): Problem {
  if (caller.kind === 'agent')
    return optional(
      presented,
      presented === caller.certificateSha256 ? undefined : 'must be empty or your own',
    );
  return required(presented, matching(presented, thumbprint, 'a base64url SHA-256 digest'));
}

function databaseName(name: string): Problem {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > NAME_BYTES_MAX) return `must have 1 to ${NAME_BYTES_MAX} bytes`;
  return /[\p{Cc}\p{Cf}]/u.test(name) || !name.isWellFormed()
    ? 'must have no invisible characters'
    : undefined;
}

function statusOf(state: LeaseState): LeaseStatus | '' {
  const found = (Object.keys(stateOf) as LeaseStatus[]).find((status) => stateOf[status] === state);
  return found ?? '';
}

function roleMessage(role: DatabaseRoleRow): DatabaseRole {
  return { ...role, name: `databaseRoles/${role.databaseRoleId}`, memberOf: [...role.memberOf] };
}

function leaseMessage({ status, failures, issueTime, ...lease }: LeaseRow): Lease {
  return {
    ...lease,
    name: `leases/${lease.leaseId}`,
    state: stateOf[status],
    revokeAttempts: failures,
    issueTime,
    expireTime: lease.expireTime,
  };
}
