import {
  DelegateRequest,
  Delegation,
  DelegationServiceService,
  GetDelegationRequest,
  ListDelegationsRequest,
  ListDelegationsResponse,
  RevokeDelegationRequest,
} from '@writ/contracts/writ/session/v1/delegation.js';
import { authorityFlags, etag, flag, idArgument, limitsCell } from '../rows.js';
import { unary } from '../rpc.js';
import { column, details, listOf, shape, wide } from '../shape.js';
import { tokenExtras, tokenFills, withToken } from '../token.js';
import type { Noun } from '../verb.js';

const { delegate, getDelegation, listDelegations, revokeDelegation } = DelegationServiceService;

const delegation = shape([
  column('id', 'delegationId'),
  column('from', 'delegatorAgentId'),
  column('to', 'delegateAgentId'),
  column('depth', 'depth'),
  column('state', 'state'),
  column('expires', 'expireTime'),
  column('allows', details),
  wide('limits', limitsCell),
  wide('mandate', 'mandateId'),
  wide('parent', 'parentDelegationId'),
  wide('session', 'sessionId'),
  wide('purpose', 'purpose'),
  wide('delegated', 'delegateTime'),
  wide('etag', 'etag'),
]);
const id = idArgument('delegation');

export const delegationNoun: Noun = {
  name: 'delegation',
  doc: 'one hop of authority from agent to agent, never wider than its parent',
  verbs: [
    {
      name: 'create',
      doc: 'hand a narrower part of your authority to another agent',
      rpc: unary('session-broker', delegate, DelegateRequest, Delegation),
      shape: delegation,
      file: true,
      options: [
        flag('to', 'the agent that gets it', { field: 'delegate_agent_id', required: true }),
        ...authorityFlags,
      ],
      extras: tokenExtras,
      fills: tokenFills,
      before: withToken,
    },
    {
      name: 'get',
      doc: 'show one delegation',
      args: [id],
      rpc: unary('session-broker', getDelegation, GetDelegationRequest, Delegation),
      shape: delegation,
    },
    {
      name: 'list',
      doc: 'list delegations',
      rpc: unary('session-broker', listDelegations, ListDelegationsRequest, ListDelegationsResponse),
      shape: listOf('delegations', delegation),
      pages: 'delegations',
      options: [
        flag('mandate', 'only those below this mandate', { field: 'mandate_id' }),
        flag('agent', 'only those from or to this agent', { field: 'agent_id' }),
      ],
    },
    {
      name: 'revoke',
      doc: 'take a delegation back, and with it everything below',
      args: [id],
      options: [flag('reason', 'why, for whoever reads the ledger', { required: true }), etag],
      rpc: unary('session-broker', revokeDelegation, RevokeDelegationRequest, Delegation),
      shape: delegation,
      confirm: { kind: 'yes', question: 'everything below this delegation ends with it. go on?' },
    },
  ],
};
