import {
  DatabaseRole,
  DefineDatabaseRoleRequest,
  GetDatabaseRoleRequest,
  GetLeaseRequest,
  IssueLeaseRequest,
  IssueLeaseResponse,
  Lease,
  LeaseServiceService,
  ListDatabaseRolesRequest,
  ListDatabaseRolesResponse,
  ListLeasesRequest,
  ListLeasesResponse,
  RenewLeaseRequest,
  RevokeLeaseRequest,
} from '@writ/contracts/writ/vault/v1/lease.js';
import { textAt } from '../json.js';
import { approval, atLeast, flag, idArgument, presentedCertificate } from '../rows.js';
import { unary } from '../rpc.js';
import { takeSecret } from '../secret-out.js';
import { column, listOf, shape, wide } from '../shape.js';
import { tokenExtras, tokenFills, withToken } from '../token.js';
import type { Noun } from '../verb.js';
import { extra } from '../work.js';

const { defineDatabaseRole, getDatabaseRole, listDatabaseRoles } = LeaseServiceService;
const { issueLease, renewLease, revokeLease, getLease, listLeases } = LeaseServiceService;

const databaseRole = shape([
  column('id', 'databaseRoleId'),
  column('name', 'displayName'),
  column('member of', 'memberOf'),
  column('ttl at most', (row) => `${textAt(row, 'ttlSecondsMax')} s`),
  wide('secret', 'secretId'),
  wide('defined', 'defineTime'),
  wide('etag', 'etag'),
]);
const lease = shape([
  column('id', 'leaseId'),
  column('state', 'state'),
  column('username', 'username'),
  column('agent', 'agentId'),
  column('session', 'sessionId'),
  column('expires', 'expireTime'),
  wide('database role', 'databaseRoleId'),
  wide('revoked because', 'revokeCause'),
  wide('revoke attempts', 'revokeAttempts'),
  wide('last failure', 'lastFailure'),
  wide('decision', 'decisionId'),
  wide('approval', 'approvalId'),
  wide('issued', 'issueTime'),
  wide('etag', 'etag'),
]);
const issued = shape(
  [
    column('id', 'lease.leaseId'),
    column('username', 'username'),
    column('password', (row) => textAt(row, 'password') || '(in the file)'),
    column('expires', 'lease.expireTime'),
    wide('session', 'lease.sessionId'),
    wide('decision', 'lease.decisionId'),
  ],
  (row) => textAt(row, 'lease.name'),
);
const id = idArgument('lease');
const roleId = idArgument('database_role');

export const databaseRoleNoun: Noun = {
  name: 'database-role',
  doc: 'what a leased database user may do',
  verbs: [
    {
      name: 'define',
      doc: 'define a role that agents can get leases of',
      rpc: unary('vault', defineDatabaseRole, DefineDatabaseRoleRequest, DatabaseRole),
      shape: databaseRole,
      options: [
        flag('name', 'what people call it', { field: 'display_name', required: true }),
        flag('secret', 'the secret with the connection that makes users', {
          field: 'secret_id',
          required: true,
        }),
        flag('member-of', 'a role in the database whose rights a leased user has'),
        flag('ttl-seconds-max', 'the longest life of a lease, 60 to 86400'),
      ],
    },
    {
      name: 'get',
      doc: 'show one role',
      args: [roleId],
      rpc: unary('vault', getDatabaseRole, GetDatabaseRoleRequest, DatabaseRole),
      shape: databaseRole,
    },
    {
      name: 'list',
      doc: 'list roles',
      rpc: unary('vault', listDatabaseRoles, ListDatabaseRolesRequest, ListDatabaseRolesResponse),
      shape: listOf('databaseRoles', databaseRole),
      pages: 'databaseRoles',
    },
  ],
};

export const leaseNoun: Noun = {
  name: 'lease',
  doc: 'a database credential made for one session; it dies with it',
  verbs: [
    {
      name: 'issue',
      doc: 'get a database user for this session; its password is handed out once',
      args: [roleId],
      options: [
        flag('ttl-seconds', 'how long; else as long as the role and the session allow'),
        approval,
        atLeast,
        presentedCertificate,
      ],
      rpc: unary('vault', issueLease, IssueLeaseRequest, IssueLeaseResponse),
      shape: issued,
      extras: [
        {
          flag: 'password-file',
          value: 'FILE',
          doc: 'where the password goes, for you alone to read; `-` prints it and nothing else',
        },
        { flag: 'show-password', doc: 'print the password instead' },
        ...tokenExtras,
      ],
      fills: tokenFills,
      hides: { password: 'show-password' },
      before: async (work) => {
        const shows = work.extras['show-password'] === true;
        const take = shows ? undefined : takeSecret(work, 'password-file', 'password', 'utf8');
        await withToken(work);
        return take;
      },
      prints: (work) => work.extras['show-password'] === true || extra(work, 'password-file') !== '-',
    },
    {
      name: 'renew',
      doc: 'let a lease live longer, never beyond its session',
      args: [id],
      options: [flag('ttl-seconds', 'how long from now')],
      rpc: unary('vault', renewLease, RenewLeaseRequest, Lease),
      shape: lease,
      extras: tokenExtras,
      fills: tokenFills,
      before: withToken,
    },
    {
      name: 'revoke',
      doc: 'end a lease now',
      args: [id],
      rpc: unary('vault', revokeLease, RevokeLeaseRequest, Lease),
      shape: lease,
    },
    {
      name: 'get',
      doc: 'show one lease',
      args: [id],
      rpc: unary('vault', getLease, GetLeaseRequest, Lease),
      shape: lease,
    },
    {
      name: 'list',
      doc: 'list leases',
      rpc: unary('vault', listLeases, ListLeasesRequest, ListLeasesResponse),
      shape: listOf('leases', lease),
      pages: 'leases',
      options: [
        flag('session', 'only those of this session', { field: 'session_id' }),
        flag('state', 'only those in this state'),
      ],
    },
  ],
};
